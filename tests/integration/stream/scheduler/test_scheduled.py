"""What is to be delivered later, on the running system: held, released when due, once, whatever dies meanwhile."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import msgspec

from clarion.broker.partitioner import partition_of
from clarion.client import Lane, Publisher, Submission
from clarion.contracts import times
from clarion.contracts.api.status import Status
from clarion.contracts.ids import new_id
from clarion.contracts.records import notification
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.scheduling import RELEASED
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE
from clarion.settings import Settings
from clarion.store import notifications, scheduled
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.stream.scheduler.holding import SOON, Subscribe, bare, held, is_held, produce, sender
from tests.observing import expires, reading, states


async def test_it_is_held_until_it_is_due_and_delivered_then(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    due = times.now() + SOON
    async with subscriber(user) as listening, sender(live) as http:
        id_ = await publisher.publish(
            recipient=user, type="t", message="later", priority="urgent", deliver_at=due, data={"a": 1}
        )
        await is_held(stored, id_)
        seen = (await http.get(f"/{id_}")).json()
        assert (seen["state"], seen["priority"]) == ("scheduled", "urgent")
        assert msgspec.json.decode(msgspec.json.encode(seen), type=Status).deliver_at == due
        async with asyncio.timeout(30):
            item = await anext(listening)
        late = times.now() - due
        assert timedelta(0) <= late < timedelta(seconds=5)
        await listening.handled()
        assert (item.id, item.lane, item.message, item.data) == (id_, Lane.URGENT, "later", {"a": 1})

        async def is_delivered() -> bool:
            return (await http.get(f"/{id_}")).json()["state"] == "delivered"

        await until(is_delivered)
    await is_held(stored, id_, "released")
    document = await scheduled.collection(stored).find_one({"_id": id_})
    assert document is not None
    assert "value" not in document
    assert "headers" not in document
    assert document["purge_at"] - document["released_at"] == timedelta(days=30)


async def test_what_is_due_already_goes_to_its_lane_at_once(publisher: Publisher, user: str, stored: Database) -> None:
    id_ = await publisher.publish(
        recipient=user, type="t", message="x", deliver_at=times.now() - timedelta(days=1), priority="urgent"
    )

    async def is_stored() -> bool:
        return await states(stored, [id_]) == [State.PENDING]

    await until(is_stored)
    assert await held(stored, id_) is None


async def test_the_same_key_is_held_and_delivered_once(
    publisher: Publisher, subscriber: Subscribe, user: str, live: Settings
) -> None:
    due = times.now() + SOON
    same = {"recipient": user, "type": "t", "message": "once", "deliver_at": due, "idempotency_key": "k"}
    ids = {await publisher.publish(**same) for _ in range(3)}  # type: ignore[arg-type]
    assert len(ids) == 1
    mixed = [
        Submission(type="t", message="later", recipient=user, deliver_at=due, priority=Lane.HIGH),
        Submission(type="t", message="now", recipient=user, priority=Lane.HIGH),
        Submission(type="t", message="too late", recipient=user, deliver_at=due + timedelta(days=400)),
    ]
    results = await publisher.publish_many(mixed)
    async with Publisher.kafka(live.kafka, sender="svc", prefix=live.prefix) as straight:
        results += await straight.publish_many(mixed)
    assert [result.status for result in results] == [202, 202, 422] * 2
    assert results[2].errors[0].pointer == results[5].errors[0].pointer == "/deliver_at"
    async with subscriber(user) as listening, asyncio.timeout(30):
        found = [await anext(listening) for _ in range(5)]
    assert sorted(item.message for item in found) == ["later", "later", "now", "now", "once"]
    assert {item.id for item in found} == {*ids, *(result.id for result in results if result.id)}


async def test_what_comes_too_early_to_a_lane_is_held_and_sent_once(
    subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    """Without ids, so that every copy must agree on one; misplaced, too."""
    names, key = Names(live.prefix), user.encode()
    due = times.now() + SOON
    wrong = (partition_of(user, live.partitions_lane) + 1) % live.partitions_lane
    trace = [("traceparent", b"00-1-2-01")]
    lane = names.notifications(Lane.URGENT)
    await produce(
        live,
        lane,
        {"key": key, "value": bare(user, message="early", deliver_at=due), "headers": trace},
        {"key": key, "value": bare(user, message="astray", deliver_at=due), "headers": trace, "partition": wrong},
    )
    await produce(
        live,
        names.scheduled,
        {"key": key, "value": bare(user, message="held", deliver_at=due, priority="urgent"), "headers": trace},
        {"key": key, "value": bare(user, message="held astray", deliver_at=due, priority="urgent"), "partition": wrong},
    )
    async with reading(live, lane) as consumer, subscriber(user) as listening:
        async with asyncio.timeout(30):
            found = [await anext(listening) for _ in range(4)]
        assert {(item.message, item.lane) for item in found} == {
            (message, Lane.URGENT) for message in ("early", "astray", "held", "held astray")
        }
        ids, traced = {item.id for item in found}, 0
        async with asyncio.timeout(20):
            while ids:
                record = await consumer.getone()
                if RELEASED in dict(record.headers):
                    id_ = notification.decode(record.value).id
                    traced += id_ in ids and trace[0] in record.headers
                    ids.discard(str(id_))
        assert traced == 3
    assert await notifications.collection(stored).count_documents({"recipient": user}) == 4
    assert await scheduled.collection(stored).count_documents({"recipient": user, "state": "released"}) == 4


async def test_what_expires_before_it_is_due_is_told_not_pushed(
    stack: Stack, publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    due = times.now() + SOON
    id_ = await publisher.publish(
        recipient=user, type="t", message="x", deliver_at=due, expires_at=due + timedelta(seconds=1)
    )
    await is_held(stored, id_)
    stack.kill("scheduler", signal.SIGSTOP)
    try:
        await asyncio.sleep(3.5)
    finally:
        stack.kill("scheduler", signal.SIGCONT)

    await expires(stored, id_)
    last = await publisher.publish(recipient=user, type="t", message="lasting")
    async with subscriber(user) as listening, asyncio.timeout(30):
        assert (await anext(listening)).id == last


async def test_a_used_id_with_other_content_is_a_dead_letter(
    subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    names, id_ = Names(live.prefix), new_id()
    due = times.now() + SOON
    async with reading(live, names.dead_letters) as consumer:
        record = {"key": user.encode(), "value": bare(user, id=id_, deliver_at=due, message="first")}
        await produce(live, names.scheduled, record)
        await is_held(stored, id_)
        other = bare(user, id=id_, deliver_at=due, message="other")
        await produce(live, names.scheduled, record | {"value": other})
        async with asyncio.timeout(20):
            while (letter := await consumer.getone()).value != other:
                pass
    assert dict(letter.headers)["reason"].decode() == Reason.ID_CONFLICT
    async with subscriber(user) as listening, asyncio.timeout(30):
        assert (await anext(listening)).message == "first"


async def test_a_sender_sees_its_own_on_the_running_system(
    publisher: Publisher, user: str, live: Settings, stored: Database
) -> None:
    id_ = await publisher.publish(recipient=user, type="a.b", message="x", priority="high")

    async def is_stored() -> bool:
        return await states(stored, [id_]) == [State.PENDING]

    await until(is_stored)
    async with sender(live) as mine, sender(live, "other") as other, sender(live, "ops", "publish:any") as operator:
        seen = (await mine.get(f"/{id_}")).json()
        assert {name: seen[name] for name in ("id", "recipient", "sender", "type", "priority", "state")} == {
            "id": id_, "recipient": user, "sender": "tests", "type": "a.b", "priority": "high", "state": "pending"
        }  # fmt: skip
        assert (await other.get(f"/{id_}")).status_code == 404
        assert (await operator.get(f"/{id_}")).json() == seen
        assert (await mine.get(f"/{new_id()}")).status_code == 404


async def test_without_mongodb_lookups_are_503_and_publishing_works(
    stack: Stack, publisher: Publisher, live: Settings, user: str
) -> None:
    async with sender(live) as http:
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            answer = await http.get(f"/{new_id()}")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert await publisher.publish(recipient=user, type="t", message="x")
        finally:
            stack.kill("mongodb", signal.SIGCONT)

        async def answers() -> bool:
            return (await http.get(f"/{new_id()}")).status_code == 404

        await until(answers)


async def test_the_inbox_has_what_is_due_now_above_what_came_meanwhile(
    publisher: Publisher, user: str, stored: Database, live: Settings
) -> None:
    """And what claims to be of another age straight from Kafka is in its place, too."""
    due = times.now() + 2 * SOON
    scheduled_ = await publisher.publish(recipient=user, type="t", message="scheduled", deliver_at=due)
    topic, key = Names(live.prefix).notifications(Lane.NORMAL), user.encode()
    ages = [datetime(year, 1, 1, tzinfo=UTC) for year in (2099, 1, 9999)]
    for n, age in enumerate(ages):
        await produce(live, topic, {"key": key, "value": bare(user, str(n), created_at=age)})
    last = await publisher.publish(recipient=user, type="t", message="last")
    documents = notifications.collection(stored)

    async def is_released() -> bool:
        return await states(stored, [scheduled_]) == [State.PENDING]

    await until(is_released)
    mine = sender(live, user, SUBSCRIBE)
    async with mine as http:
        answer = await http.get(f"{live.gateway_urls[0]}/v1/inbox", params={"limit": 2})
        first = answer.json()
        more = {"cursor": first["next"]}
        rest = (await http.get(f"{live.gateway_urls[0]}/v1/inbox", params=more)).json()
    items = [*first["items"], *rest["items"]]
    assert [item["message"] for item in items] == ["scheduled", "last", "2", "1", "0"]
    assert items[1]["id"] == last
    assert items[0]["created_at"] < items[1]["created_at"]
    assert items[0]["available_at"] >= times.rfc3339(due)
    assert await documents.count_documents({"recipient": user, "created_at": {"$gt": times.now()}}) == 0
