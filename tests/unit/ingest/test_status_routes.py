"""What a sender sees of its notifications, and takes back."""

import msgspec
import pytest

from clarion.contracts.api.status import State, Status
from clarion.contracts.ids import new_id
from clarion.contracts.records.receipts import Op, Unfound
from clarion.web.problem_responses import Unavailable
from tests.unit.ingest.fake_ingest import GOOD, MINE, ONE, Broker, Store, client, is_problem


async def test_a_sender_sees_what_became_of_its_own_and_nobody_elses() -> None:
    async with client() as c, client(sub="other") as other, client(scope="publish:any", sub="other") as operator:
        seen = await c.get(f"{ONE}/{MINE.id}")
        assert seen.status_code == 200
        assert msgspec.json.decode(seen.content, type=Status) == MINE
        assert "delivered_at" not in seen.json()
        is_problem(await other.get(f"{ONE}/{MINE.id}"), 404)
        is_problem(await c.get(f"{ONE}/{new_id()}"), 404)
        assert (await operator.get(f"{ONE}/{MINE.id}")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_who_may_not_publish_sees_nothing_and_takes_nothing_back(method: str) -> None:
    broker = Broker()
    async with client(broker, scope="subscribe") as c:
        is_problem(await c.request(method, f"{ONE}/{MINE.id}"), 403)
        is_problem(await c.request(method, f"{ONE}/{MINE.id}", headers={"Authorization": ""}), 401)
    assert broker.told == []


async def test_a_sender_takes_back_its_own_and_nobody_elses() -> None:
    broker = Broker()
    async with client(broker) as c, client(broker, sub="other") as other:
        is_problem(await other.delete(f"{ONE}/{MINE.id}"), 404)
        assert broker.told == []
        answer = await c.delete(f"{ONE}/{MINE.id}")
    assert (answer.status_code, answer.json()) == (202, {"id": MINE.id})
    [receipt] = broker.told
    assert (receipt.user, receipt.op, receipt.ids) == ("bob", Op.RETRACTED, [MINE.id])
    assert receipt.unfound is None


@pytest.mark.parametrize(("scope", "sender"), [("publish", "svc"), ("publish:any", None)])
@pytest.mark.parametrize("found", [None, "noted", "dead"])
async def test_what_is_not_found_is_taken_back_for_its_sender_alone(
    scope: str, sender: str | None, found: str | None
) -> None:
    """Nothing is found, or what was noted before, or that another use of the id died: none of them is the sender's."""
    id_, broker, store = new_id(), Broker(), Store()
    if found:
        noted = Status(id=id_, state=State.RETRACTED)
        dead = msgspec.structs.replace(MINE, id=id_, state=State.DEAD, sender="other")
        store.others[id_] = noted if found == "noted" else dead
    async with client(broker, scope=scope, store=store) as c:
        answer = await c.delete(f"{ONE}/{id_.upper()}")
    assert (answer.status_code, answer.json()) == (202, {"id": id_})
    [receipt] = broker.told
    assert (receipt.user, receipt.op, receipt.ids) == (id_, Op.RETRACTED, [id_])
    assert receipt.unfound == Unfound(sender)


@pytest.mark.parametrize("outcome", [Unavailable("Kafka is down"), False])
async def test_a_retraction_kafka_does_not_have_is_503(outcome: Exception | bool) -> None:
    async with client(Broker(outcome)) as c:
        assert int((await c.delete(f"{ONE}/{MINE.id}")).headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "id_", ["batch", "x", "%00", MINE.id + "%0A", f"{{{MINE.id}}}", f"urn:uuid:{MINE.id}", MINE.id + "0", "a" * 10_000]
)
async def test_what_is_no_id_is_not_looked_up(id_: str) -> None:
    store = Store()
    async with client(store=store) as c:
        is_problem(await c.get(f"{ONE}/{id_}"), 404)
        is_problem(await c.delete(f"{ONE}/{id_}"), 404)
    assert store.asked == []


async def test_without_the_store_a_lookup_is_503_and_publishing_works() -> None:
    async with client(store=Store(Unavailable("MongoDB is down"))) as c:
        response = await c.get(f"{ONE}/{MINE.id}")
        assert "MongoDB" in is_problem(response, 503)["detail"]
        assert int(response.headers["retry-after"]) > 0
        assert (await c.post(ONE, json=GOOD)).status_code == 202
