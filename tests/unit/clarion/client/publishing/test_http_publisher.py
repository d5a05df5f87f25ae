"""Publishing over HTTP: what is tried again, with which key, and what comes out."""

from collections.abc import Callable, Collection

import httpx2
import msgspec
import pytest

from clarion.client import HttpPublisher, Publisher, Refused, Status, Submission, Unavailable
from clarion.client import http as http_module
from clarion.client.publishing.http_publisher import HttpTransport
from clarion.client.tokens import TokenSource
from clarion.contracts import limits
from clarion.resilience.backoff import Backoff

Answer = Callable[[httpx2.Request], httpx2.Response]


class Ingest:
    """Answers from a script, the last answer for ever, and remembers what was asked."""

    def __init__(self, *answers: Answer | httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

    def keys(self) -> list[str]:
        return [request.headers["idempotency-key"] for request in self.requests]

    def publisher(self, deadline_s: float = 30.0, tokens: TokenSource | None = None) -> HttpPublisher:
        found = tokens or TokenSource("t0", None)
        return HttpPublisher(HttpTransport("http://ingest/", found, deadline_s, through=httpx2.MockTransport(self)))


def accepted(id_: str = "1") -> httpx2.Response:
    return httpx2.Response(202, json={"id": id_})


def problem(status: int, **headers: str) -> httpx2.Response:
    body = {"title": "t", "status": status, "detail": "no", "errors": [{"pointer": "/a", "code": "c", "detail": "d"}]}
    return httpx2.Response(status, json=body, headers=headers)


async def publish(
    ingest: Ingest, deadline_s: float = 30.0, *, priority: str = "normal", idempotency_key: str | None = None
) -> str:
    async with ingest.publisher(deadline_s) as p:
        return await p.publish(
            recipient="bob", type="a", message="hi", priority=priority, idempotency_key=idempotency_key
        )


async def test_a_notification_is_posted_with_token_and_key() -> None:
    ingest = Ingest(accepted("7"))
    assert await publish(ingest, priority="urgent", idempotency_key="mine") == "7"
    [request] = ingest.requests
    assert str(request.url) == "http://ingest/v1/notifications"
    assert request.headers["authorization"] == "Bearer t0"
    assert ingest.keys() == ["mine"]
    assert msgspec.json.decode(request.content) == {
        "v": 1, "type": "a", "message": "hi", "priority": "urgent", "recipient": "bob",
    }  # fmt: skip


async def test_transient_failures_are_tried_again_under_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "BACKOFF", Backoff(base_s=0.0, cap_s=0.0))
    lost = httpx2.ReadTimeout("lost")
    ingest = Ingest(httpx2.ConnectError("down"), lost, problem(503), problem(429), httpx2.Response(502), accepted())
    assert await publish(ingest) == "1"
    assert len(ingest.requests) == 6
    assert len(set(ingest.keys())) == 1
    assert len(ingest.keys()[0]) == 32


async def test_two_notifications_have_two_keys() -> None:
    ingest = Ingest(accepted())
    await publish(ingest)
    await publish(ingest)
    assert len(set(ingest.keys())) == 2


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    ingest = Ingest(problem(503, **{"Retry-After": "60"}))
    with pytest.raises(Unavailable, match="HTTP 503: no"):
        await publish(ingest)
    assert len(ingest.requests) == 1


async def test_after_the_deadline_it_is_unavailable() -> None:
    ingest = Ingest(httpx2.ConnectError("down"))
    with pytest.raises(Unavailable, match="ConnectError: down"):
        await publish(ingest, deadline_s=0.0)


@pytest.mark.parametrize("status", [400, 403, 413, 415, 422])
async def test_a_refusal_names_its_fields_and_is_not_retried(status: int) -> None:
    ingest = Ingest(problem(status))
    with pytest.raises(Refused, match="/a: d") as caught:
        await publish(ingest)
    assert caught.value.problem.status == status
    assert len(ingest.requests) == 1


async def test_a_refusal_by_something_in_between_is_a_refusal_too() -> None:
    with pytest.raises(Refused, match="404"):
        await publish(Ingest(httpx2.Response(404, text="<html>")))


async def test_a_refused_token_is_refreshed_once() -> None:
    tokens = iter(["old", "new", "newer"])
    ingest = Ingest(problem(401), accepted(), problem(401))
    async with ingest.publisher(tokens=TokenSource(None, lambda: next(tokens))) as p:
        await p.publish(recipient="bob", type="a", message="hi")
        assert [r.headers["authorization"] for r in ingest.requests] == ["Bearer old", "Bearer new"]
        with pytest.raises(Refused, match="401"):
            await p.publish(recipient="bob", type="a", message="hi")
    assert len(ingest.requests) == 4


def verdicts(
    request: httpx2.Request, *, lost: Collection[int] = (), bad: Collection[int] = (), silent: Collection[int] = ()
) -> httpx2.Response:
    """What ingest answers to a batch: `lost`, `bad` and `silent` are line numbers."""
    lines: list[dict[str, object]] = []
    for number, line in enumerate(request.content.split(b"\n"), 1):
        errors = [{"pointer": "", "code": "c", "detail": "d"}]
        if not line or number in silent:
            continue
        if number in lost:
            lines.append({"line": number, "status": 503, "errors": errors})
        elif number in bad:
            lines.append({"line": number, "status": 422, "errors": errors})
        else:
            lines.append({"line": number, "status": 202, "id": msgspec.json.decode(line)["recipient"]})
    return httpx2.Response(200, content=b"\n".join(map(msgspec.json.encode, lines)))


def many(count: int, message: str = "hi") -> list[Submission]:
    return [Submission(type="a", message=message, recipient=f"r{number}") for number in range(count)]


async def test_only_lost_lines_are_resent_with_their_numbers_and_key() -> None:
    ingest = Ingest(lambda r: verdicts(r, lost={2, 4}, bad={3}), lambda r: verdicts(r, lost={4}), verdicts)
    async with ingest.publisher() as p:
        results = await p.publish_many(many(4))
    assert [(r.status, r.id) for r in results] == [(202, "r0"), (202, "r1"), (422, None), (202, "r3")]
    assert [bool(line) for line in ingest.requests[1].content.split(b"\n")] == [False, True, False, True]
    assert len(ingest.requests) == 3
    assert len(set(ingest.keys())) == 1


async def test_each_line_waits_as_long_as_it_was_told_itself() -> None:
    """The header is the longest of them: with that of the first alone, neither would be sent again in time."""
    late = [{"line": 1, "status": 503, "retry_after": 60}, {"line": 2, "status": 429, "retry_after": 0}]
    first = httpx2.Response(200, headers={"Retry-After": "60"}, content=b"\n".join(map(msgspec.json.encode, late)))
    ingest = Ingest(first, verdicts)
    async with ingest.publisher() as p:
        results = await p.publish_many(many(2))
    assert [(r.status, r.id) for r in results] == [(503, None), (202, "r1")]
    assert [bool(line) for line in ingest.requests[1].content.split(b"\n")] == [False, True]
    assert len(ingest.requests) == 2


async def test_a_line_without_an_answer_is_resent_until_the_deadline() -> None:
    ingest = Ingest(lambda r: verdicts(r, silent={1}), lambda r: verdicts(r, silent={1}), verdicts)
    async with ingest.publisher() as p:
        assert [r.id for r in await p.publish_many(many(2))] == ["r0", "r1"]
    ingest = Ingest(lambda r: verdicts(r, silent={1}))
    async with ingest.publisher(deadline_s=0.1) as p:
        assert [r.status for r in await p.publish_many(many(2))] == [503, 202]


async def test_many_go_in_requests_within_the_limits() -> None:
    ingest = Ingest(verdicts)
    async with ingest.publisher() as p:
        results = await p.publish_many(many(2 * limits.BATCH_LINES + 1))
        assert [r.id for r in results] == [f"r{number}" for number in range(2 * limits.BATCH_LINES + 1)]
        await p.publish_many(many(300, "x" * limits.MESSAGE_CHARS))
    assert len(ingest.requests) == 3 + 2
    assert all(len(request.content) <= limits.BATCH_BYTES for request in ingest.requests)
    assert len(set(ingest.keys())) == 5


async def test_one_that_is_too_large_harms_no_other() -> None:
    notifications = many(3)
    notifications[1].data = {"x": "y" * limits.RECORD_BYTES}
    ingest = Ingest(verdicts)
    async with ingest.publisher() as p:
        results = await p.publish_many(notifications)
    assert [r.status for r in results] == [202, 422, 202]
    assert results[1].errors[0].limit == limits.RECORD_BYTES


async def test_when_ingest_is_down_each_of_many_says_so() -> None:
    ingest = Ingest(httpx2.ConnectError("down"))
    async with ingest.publisher(deadline_s=0.0) as p:
        assert [r.status for r in await p.publish_many(many(2))] == [503, 503]


async def test_none_of_many_is_no_request() -> None:
    ingest = Ingest(verdicts)
    async with ingest.publisher() as p:
        assert await p.publish_many([]) == []
    assert ingest.requests == []


def test_a_publisher_has_one_source_of_tokens() -> None:
    with pytest.raises(ValueError, match="either token or get_token"):
        Publisher.http("http://ingest")


async def test_a_sender_asks_and_takes_back_and_waits_as_told() -> None:
    seen = {"id": "7", "recipient": "bob", "sender": "svc", "type": "a", "priority": "low", "state": "scheduled"}
    seen |= {"created_at": "2026-11-24T01:02:03Z", "deliver_at": "2026-12-24T18:00:00Z"}
    ingest = Ingest(problem(503, **{"Retry-After": "0"}), httpx2.Response(200, json=seen), accepted("7"))
    async with ingest.publisher() as p:
        status = await p.status("7/../x")
        assert isinstance(status, Status)
        assert (status.state, status.priority) == ("scheduled", "low")
        assert status.deliver_at is not None
        assert status.deliver_at.year == 2026
        await p.retract("7")
    asked = [(request.method, request.url.raw_path) for request in ingest.requests]
    path = b"/v1/notifications/7%2F..%2Fx"
    assert asked == [("GET", path), ("GET", path), ("DELETE", b"/v1/notifications/7")]
    assert all(request.headers["authorization"] == "Bearer t0" for request in ingest.requests)


async def test_what_is_unknown_has_no_status_and_is_not_taken_back() -> None:
    async with Ingest(problem(404)).publisher() as p:
        assert await p.status("7") is None
        with pytest.raises(Refused) as caught:
            await p.retract("7")
    assert caught.value.problem.status == 404
