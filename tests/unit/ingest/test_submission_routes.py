"""The routes of ingest without a broker: who is refused, with what, and what is given back."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from clarion.contracts import limits, times
from clarion.contracts.api.problems import KEY_REUSED, TYPES
from clarion.contracts.api.status import State, Status
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Op, Receipt, Unfound
from clarion.security.tokens import mint
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from clarion.web import bodies
from clarion.web.budget import Budget
from clarion.web.problem_responses import Unavailable
from services.ingest.routes import make_app
from services.ingest.sender_limit import SenderLimit

SETTINGS = Settings(env="dev", jwt_secret="s" * 32)
ONE = "/v1/notifications"
BATCH = "/v1/notifications/batch"
GOOD = {"type": "a", "message": "x", "recipient": "bob"}


MINE = Status(
    id="019b7d3e-5c00-7abc-8def-0123456789ab",
    recipient="bob",
    sender="svc",
    type="a",
    priority=Lane.LOW,
    state=State.PENDING,
    created_at=times.now(),
)


class Store:
    """Stands for the lookup in MongoDB: has `MINE`, or raises `failure`."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[str, str | None]] = []
        self.others: dict[str, Status] = {}

    async def find(self, id_: str, sender: str | None) -> Status | None:
        self.asked.append((id_, sender))
        if self.failure:
            raise self.failure
        return MINE if id_ == MINE.id and sender in (None, MINE.sender) else self.others.get(id_)


class Broker:
    """Stands for `Acceptor`: takes all, or what `outcome` says."""

    def __init__(self, outcome: Exception | bool | None = None) -> None:
        self.outcome = outcome
        self.taken: list[Notification] = []
        self.told: list[Receipt] = []
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def accept(self, notifications: Sequence[Notification]) -> list[bool]:
        self.entered.set()
        await self.go.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.taken += notifications
        return [self.outcome is not False] * len(notifications)

    async def tell(self, receipt: Receipt) -> bool:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.told.append(receipt)
        return self.outcome is not False


def client(
    broker: Broker | None = None,
    budget: Budget | None = None,
    scope: str = "publish",
    limit: SenderLimit | None = None,
    store: Store | None = None,
    sub: str = "svc",
) -> httpx2.AsyncClient:
    producer: Any = broker or Broker()
    transport = httpx2.ASGITransport(
        make_app(Verifier(SETTINGS), producer, (store or Store()).find, budget or Budget(), limit or SenderLimit(0, 1)),
        raise_app_exceptions=False,
    )
    token = mint(SETTINGS, sub=sub, scope=scope)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx2.AsyncClient(transport=transport, base_url="http://ingest", headers=headers)


def is_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found["status"] == status
    assert found["title"]
    assert found["type"] in {*TYPES.values(), KEY_REUSED}
    assert found["detail"]
    return found


async def test_one_answers_an_id_and_many_answer_ids() -> None:
    async with client() as c:
        one = await c.post(ONE, json=GOOD)
        many = await c.post(ONE, json={"type": "a", "message": "x", "recipients": ["bob"]})
    assert one.status_code == many.status_code == 202
    assert set(one.json()) == {"id"}
    assert len(many.json()["ids"]) == 1


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({"Authorization": ""}, "Bearer"),
        ({"Authorization": "Basic x"}, "Bearer"),
        ({"Authorization": "Bearer x"}, 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer " + mint(SETTINGS, sub="svc", scope="publish", ttl_s=-60)}, "invalid_token"),
    ],
)
async def test_without_a_valid_token_nobody_gets_in(headers: dict[str, str], challenge: str) -> None:
    async with client() as c:
        response = await c.post(ONE, json=GOOD, headers=headers)
    is_problem(response, 401)
    assert challenge in response.headers["www-authenticate"]


async def test_a_token_that_may_not_publish_is_told_what_it_lacks() -> None:
    async with client(scope="subscribe") as c:
        response = await c.post(ONE, json=GOOD)
    assert is_problem(response, 403)["errors"][0]["limit"] == "publish"
    assert "insufficient_scope" in response.headers["www-authenticate"]


async def test_a_foreign_sender_needs_publish_any() -> None:
    async with client() as c, client(scope="publish:any") as operator:
        assert is_problem(await c.post(ONE, json=GOOD | {"sender": "z"}), 403)["errors"][0]["pointer"] == "/sender"
        assert (await operator.post(ONE, json=GOOD | {"sender": "z"})).status_code == 202


@pytest.mark.parametrize(
    ("path", "content_type", "encoding"),
    [
        (ONE, "text/plain", "identity"),
        (ONE, "application/x-ndjson", "identity"),
        (BATCH, "application/json", "identity"),
        (ONE, "application/json", "gzip"),
    ],
)
async def test_another_content_type_is_refused(path: str, content_type: str, encoding: str) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    async with client() as c:
        is_problem(await c.post(path, content=b"{}", headers=headers), 415)
        accepted = await c.post(ONE, json=GOOD, headers={"Content-Type": "application/json; charset=utf-8"})
    assert accepted.status_code == 202


async def test_not_json_is_400_and_invalid_is_422() -> None:
    async with client() as c:
        is_problem(await c.post(ONE, content=b"{"), 400)
        error = is_problem(await c.post(ONE, json=GOOD | {"priority": "huge"}), 422)["errors"][0]
    assert (error["pointer"], error["code"], error["limit"]) == ("/priority", "unknown_value", "urgent|high|normal|low")


@pytest.mark.parametrize("length", [0, limits.IDEMPOTENCY_KEY_CHARS + 1])
async def test_a_key_has_its_limits(length: int) -> None:
    async with client() as c:
        is_problem(await c.post(ONE, json=GOOD, headers={"Idempotency-Key": "k" * length}), 422)


async def test_a_key_makes_the_same_id() -> None:
    async with client() as c:
        ids = {(await c.post(ONE, json=GOOD, headers={"Idempotency-Key": "k" * 255})).json()["id"] for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"message": "y"},
        {"priority": "high"},
        {"deliver_at": times.rfc3339(times.now() + timedelta(days=1))},
        {"expires_at": times.rfc3339(times.now() + timedelta(days=1))},
        {"data": {"a": 2}},
    ],
)
async def test_a_key_that_was_used_for_other_content_is_422_and_the_same_content_again_is_not(
    other: dict[str, Any],
) -> None:
    headers, broker = {"Idempotency-Key": "k"}, Broker()
    first = GOOD | {"data": {"a": 1, "b": 1}}
    async with client(broker) as c:
        id_ = (await c.post(ONE, json=first, headers=headers)).json()["id"]
        found = is_problem(await c.post(ONE, json=first | other, headers=headers), 422)
        assert (found["errors"][0]["code"], found["type"]) == ("key_reused", KEY_REUSED)
        assert id_ in found["errors"][0]["detail"]
        again = await c.post(ONE, json=first | {"data": {"b": 1, "a": 1}}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (202, id_)
        for free in ({"Idempotency-Key": "k2"}, {}):
            assert (await c.post(ONE, json=first | other, headers=free)).status_code == 202
    assert len(broker.taken) == 4


async def test_of_a_batch_or_a_fan_out_under_a_used_key_nothing_else_is_refused() -> None:
    headers, broker = {"Idempotency-Key": "k", "Content-Type": "application/x-ndjson"}, Broker()
    lines = [GOOD | {"recipient": name} for name in "abc"]
    changed = [lines[0], lines[1] | {"message": "y"}, lines[2]]
    async with client(broker) as c:
        await c.post(BATCH, content=b"\n".join(map(msgspec.json.encode, lines)), headers=headers)
        answer = await c.post(BATCH, content=b"\n".join(map(msgspec.json.encode, changed)), headers=headers)
        found = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        assert [line["status"] for line in found] == [202, 422, 202]
        assert found[1]["errors"][0]["code"] == "key_reused"
        many = {"type": "a", "message": "x", "recipients": ["a", "b"]}
        assert (await c.post(ONE, json=many, headers={"Idempotency-Key": "k"})).status_code == 202
        is_problem(await c.post(ONE, json=many | {"message": "y"}, headers={"Idempotency-Key": "k"}), 422)


async def test_a_key_is_free_again_when_nothing_was_tried_and_taken_when_it_may_have_arrived() -> None:
    broker, headers = Broker(Unavailable("Kafka is down")), {"Idempotency-Key": "k"}
    async with client(broker) as c:
        is_problem(await c.post(ONE, json=GOOD, headers=headers), 503)
        broker.outcome = False
        is_problem(await c.post(ONE, json=GOOD | {"message": "y"}, headers=headers), 503)
        broker.outcome = None
        is_problem(await c.post(ONE, json=GOOD, headers=headers), 422)
        assert (await c.post(ONE, json=GOOD | {"message": "y"}, headers=headers)).status_code == 202


async def test_a_body_above_the_limit_is_refused_whether_its_length_is_told_or_not() -> None:
    budget = Budget()
    pieces = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b"x" * 10_000

    async with client(budget=budget) as c:
        error = is_problem(await c.post(ONE, content=b"x" * (limits.BODY_BYTES + 1)), 413)["errors"][0]
        assert error["limit"] == limits.BODY_BYTES
        is_problem(await c.post(ONE, content=endless()), 413)
        is_problem(await c.post(ONE, content=b"x" * limits.BODY_BYTES), 400)
    assert pieces <= limits.BODY_BYTES / 10_000 + 2
    assert budget.held == 0


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_WITHIN_S", 0.05)

    async def stuck() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client(budget=(budget := Budget())) as c:
        is_problem(await c.post(ONE, content=stuck()), 408)
    assert (budget.held, budget.requests) == (0, 0)


@pytest.mark.parametrize("path", [ONE, BATCH, f"{ONE}/{MINE.id}", "/openapi.json"])
async def test_no_path_is_redirected_for_a_slash_at_its_end(path: str) -> None:
    """Behind a proxy a redirect would name `http` and the proxy's inner host, and tokens would follow it."""
    method = "POST" if path in (ONE, BATCH) else "GET"
    async with client() as c:
        without, with_slash, with_two = [
            await c.request(method, path + end, content=msgspec.json.encode(GOOD)) for end in ("", "/", "//")
        ]
    assert with_slash.status_code == without.status_code
    assert "location" not in with_slash.headers
    assert with_two.status_code == 404


async def test_unknown_paths_and_methods_are_problems_too() -> None:
    async with client() as c:
        is_problem(await c.get("/nope"), 404)
        response = await c.get(ONE)
    is_problem(response, 405)
    assert "POST" in response.headers["allow"]


async def test_an_unexpected_error_reveals_nothing() -> None:
    async with client(Broker(RuntimeError("password is hunter2"))) as c:
        response = await c.post(ONE, json=GOOD)
    assert "hunter2" not in response.text
    is_problem(response, 500)


@pytest.mark.parametrize("outcome", [Unavailable("down"), False])
async def test_what_kafka_did_not_acknowledge_is_503_with_retry_after(outcome: Any) -> None:
    async with client(Broker(outcome)) as c:
        response = await c.post(ONE, json=GOOD)
    is_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


async def test_beyond_the_budget_it_refuses_at_once_and_recovers() -> None:
    broker, budget = Broker(), Budget(max_requests=1)
    broker.go.clear()
    async with client(broker, budget) as c:
        first = asyncio.create_task(c.post(ONE, json=GOOD))
        await broker.entered.wait()
        refused = await c.post(ONE, json=GOOD)
        is_problem(refused, 503)
        assert refused.headers["retry-after"]
        broker.go.set()
        assert (await first).status_code == 202
        assert (await c.post(ONE, json=GOOD)).status_code == 202
    async with client(budget=(small := Budget(max_bytes=10))) as c:
        is_problem(await c.post(ONE, json=GOOD), 503)
    assert small.held == small.requests == 0


async def test_a_batch_answers_each_line() -> None:
    lines = [b'{"type":"a","message":"x","recipient":"r1"}', b"{", b"", b'{"type":"a","message":"x"}']
    headers = {"Content-Type": "application/x-ndjson"}
    async with client(broker := Broker()) as c:
        response = await c.post(BATCH, content=b"\n".join(lines), headers=headers)
        too_many = await c.post(BATCH, content=b"{}\n" * (limits.BATCH_LINES + 1), headers=headers)
        empty = await c.post(BATCH, content=b"", headers=headers)
    assert response.headers["content-type"] == "application/x-ndjson"
    found = [msgspec.json.decode(line) for line in response.content.splitlines()]
    assert [(line["line"], line["status"]) for line in found] == [(1, 202), (2, 400), (4, 422)]
    assert [n.recipient for n in broker.taken] == ["r1"]
    assert is_problem(too_many, 413)["errors"][0]["limit"] == limits.BATCH_LINES
    assert (empty.status_code, empty.content) == (200, b"")


async def test_lines_kafka_did_not_acknowledge_say_so() -> None:
    async with client(Broker(False)) as c:
        response = await c.post(
            BATCH,
            content=b'{"type":"a","message":"x","recipient":"r1"}\n{',
            headers={"Content-Type": "application/x-ndjson"},
        )
    lost, malformed = [msgspec.json.decode(line) for line in response.content.splitlines()]
    assert (lost["status"], malformed["status"]) == (503, 400)
    assert lost["retry_after"] == int(response.headers["retry-after"]) > 0
    assert "retry_after" not in malformed


async def test_the_openapi_document_is_served() -> None:
    async with client() as c:
        assert (await c.get("/openapi.json")).json()["openapi"] == "3.1.0"


TO_ANN = {"type": "t", "message": "m", "recipient": "ann"}


async def test_a_sender_over_its_rate_is_told_when_to_come_back_and_invalid_requests_cost_nothing() -> None:
    broker = Broker()
    async with client(broker, limit=SenderLimit(rate=0.5, burst=3)) as http:
        for _ in range(5):
            is_problem(await http.post("/v1/notifications", json=TO_ANN | {"type": "NOT A TYPE"}), 422)
        many = {"type": "t", "message": "m", "recipients": ["ann", "bob"]}
        assert (await http.post("/v1/notifications", json=many)).status_code == 202
        refused = await http.post("/v1/notifications", json=many)
        found = is_problem(refused, 429)
        assert found["errors"][0]["limit"] == "0.5/s"
        assert refused.headers["retry-after"] == "2"
        assert (await http.post("/v1/notifications", json=TO_ANN)).status_code == 202  # one token was left
        beyond = is_problem(await http.post("/v1/notifications", json=many | {"recipients": list("abcd")}), 422)
        assert (beyond["errors"][0]["pointer"], beyond["errors"][0]["limit"]) == ("/recipients", 3)
    assert len(broker.taken) == 3


async def test_lines_of_a_batch_beyond_the_senders_rate_have_a_status_of_their_own() -> None:
    broker = Broker()
    lines = [TO_ANN, TO_ANN | {"type": "NOT A TYPE"}, TO_ANN, TO_ANN]
    body = b"\n".join(msgspec.json.encode(line) for line in lines)
    async with client(broker, limit=SenderLimit(rate=0.5, burst=2)) as http:
        answer = await http.post(
            "/v1/notifications/batch", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
    assert answer.status_code == 200
    assert answer.headers["retry-after"] == "2"
    assert [msgspec.json.decode(line)["status"] for line in answer.content.splitlines()] == [202, 422, 202, 429]
    assert len(broker.taken) == 2


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
async def test_what_is_not_found_is_taken_back_wherever_it_is_for_its_sender_alone(
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


async def test_how_much_that_is_not_found_a_sender_takes_back_is_limited() -> None:
    """Each leaves a stub for days. What is found has no such limit, and another sender has its own."""
    broker = Broker()
    async with client(broker) as c, client(broker, sub="other") as other:
        for _ in range(limits.UNFOUND_BURST):
            assert (await c.delete(f"{ONE}/{new_id()}")).status_code == 202
        refused = await c.delete(f"{ONE}/{new_id()}")
        assert is_problem(refused, 429)["errors"][0]["limit"] == "1/s"
        assert int(refused.headers["retry-after"]) == 1
        assert len(broker.told) == limits.UNFOUND_BURST
        assert (await c.delete(f"{ONE}/{MINE.id}")).status_code == 202
        assert (await other.delete(f"{ONE}/{new_id()}")).status_code == 202


@pytest.mark.parametrize("outcome", [Unavailable("Kafka is down"), False])
async def test_a_retraction_kafka_does_not_have_is_503(outcome: Exception | bool) -> None:
    async with client(Broker(outcome)) as c:
        assert int((await c.delete(f"{ONE}/{MINE.id}")).headers["retry-after"]) > 0


async def test_questions_and_retractions_count_against_the_senders_limit() -> None:
    async with client(limit=SenderLimit(1, 2)) as c:
        statuses = [(await c.delete(f"{ONE}/{MINE.id}")).status_code for _ in range(3)]
        assert statuses == [202, 202, 429]
        assert (await c.get(f"{ONE}/{MINE.id}")).status_code == 429


@pytest.mark.parametrize(
    "id_", ["batch", "x", "%00", MINE.id + "%0A", f"{{{MINE.id}}}", f"urn:uuid:{MINE.id}", MINE.id + "0", "a" * 10_000]
)
async def test_what_is_no_id_is_not_looked_up(id_: str) -> None:
    store = Store()
    async with client(store=store) as c:
        is_problem(await c.get(f"{ONE}/{id_}"), 404)
        is_problem(await c.delete(f"{ONE}/{id_}"), 404)
    assert store.asked == []


async def test_while_the_store_is_away_a_lookup_is_503_and_publishing_works() -> None:
    async with client(store=Store(Unavailable("MongoDB is down"))) as c:
        response = await c.get(f"{ONE}/{MINE.id}")
        assert "MongoDB" in is_problem(response, 503)["detail"]
        assert int(response.headers["retry-after"]) > 0
        assert (await c.post(ONE, json=GOOD)).status_code == 202


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_000])
@pytest.mark.parametrize(
    "field", ['"v":{}', '"data":{{"a":[{}]}}', '"expires_at":{}', '"message":{}', '"recipients":[{}]']
)
async def test_a_number_that_no_float_holds_is_refused_by_name(number: str, field: str) -> None:
    fields = field.format(number)
    body = f'{{"type":"a","recipient":"bob",{fields}}}'.encode()
    async with client() as http:
        answer = await http.post(ONE, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["pointer"].startswith("/" + field.split('"')[1])
    assert "out of range" in error["detail"]
