"""Serve the routes of ingest.

Each request is checked in this order: its caller, room for it, its body, its fields, the sender's limit. Then Kafka has
to acknowledge it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from clarion.contracts import limits, times
from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Notification
from clarion.security.tokens import PUBLISH, PUBLISH_ANY
from clarion.telemetry import metrics
from clarion.web.bodies import JSON, body_of
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.openapi import served
from clarion.web.problem_responses import HANDLERS, RETRY_AFTER_S, Refused, problem, unavailable
from clarion.web.slashes import without_redirects
from services.ingest.answers import counted
from services.ingest.batch import LineResult, TooManyLines, parse_batch, write_results
from services.ingest.openapi import Accepted, document
from services.ingest.producer import ACKNOWLEDGED_WITHIN_S, IngestProducer
from services.ingest.sender_limit import SenderLimit
from services.ingest.status_routes import Find, status_routes
from services.ingest.submission import Rejected, decode, notifications_of
from services.ingest.traces import Traces
from services.ingest.used_keys import UsedKeys

NDJSON: Final = "application/x-ndjson"
_NOT_ACKNOWLEDGED: Final = (
    f"Kafka did not acknowledge within {ACKNOWLEDGED_WITHIN_S:g} s, and may still accept what was sent: "
    "repeat the request with the same Idempotency-Key, so that nothing is published twice"
)
_LOST: Final = FieldError("", "not_acknowledged", _NOT_ACKNOWLEDGED)


def make_app(
    check: TokenCheck, producer: IngestProducer, find: Find, budget: Budget, limit: SenderLimit, traces: Traces
) -> ASGIApp:
    """Return the HTTP application of ingest."""
    used = UsedKeys()

    async def accept(request: Request, key: str | None, items: Sequence[Notification]) -> list[bool]:
        trace = traces.begin(request, items)
        with used.using(items if key else ()):
            accepted = await producer.accept(items, trace.headers)
        trace.ended(accepted, items)
        return accepted

    async def publish(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        key = _idempotency_key(request)
        with budget.request():
            async with body_of(request, JSON, limits.BODY_BYTES, budget) as body:
                submission = decode(body)
                notifications = notifications_of(submission, claims, key, times.now())
            if key and (errors := list(filter(None, map(used.conflict, notifications)))):
                raise Rejected(422, errors[0])
            limit.charge(claims.subject, len(notifications))
            accepted = await accept(request, key, notifications)
        if not all(accepted):
            return unavailable(_NOT_ACKNOWLEDGED)
        ids = [str(n.id) for n in notifications]
        answer = Accepted(ids=ids) if submission.recipients else Accepted(id=ids[0])
        return Response(msgspec.json.encode(answer), 202, media_type=JSON)

    async def publish_batch(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        key = _idempotency_key(request)
        with budget.request():
            async with body_of(request, NDJSON, limits.BATCH_BYTES, budget) as body:
                try:
                    valid, results = parse_batch(body, claims, key, times.now())
                except TooManyLines:
                    detail = f"the batch may have at most {limits.BATCH_LINES} lines"
                    error = FieldError("", "too_many", detail, limits.BATCH_LINES)
                    raise Refused(413, detail, errors=[error]) from None
            if key:
                reused = {line: error for line, item in valid.items() if (error := used.conflict(item))}
                results |= {line: LineResult(line, 422, errors=[error]) for line, error in reused.items()}
                valid = {line: item for line, item in valid.items() if line not in reused}
            admitted, late = limit.admit(claims.subject, valid)
            results |= late
            acknowledged = await accept(request, key, list(admitted.values())) if admitted else []
        for (line, item), yes in zip(admitted.items(), acknowledged, strict=True):
            lost = LineResult(line, 503, errors=[_LOST], retry_after=RETRY_AFTER_S)
            results[line] = LineResult(line, 202, item.id) if yes else lost
        for result in results.values():
            metrics.answered.labels(result.status).inc()
            if result.errors:
                metrics.refused.labels(result.status).inc()
        waits = [result.retry_after for result in results.values() if result.retry_after]
        headers = {"Retry-After": str(max(waits))} if waits else None
        return Response(write_results(results), headers=headers, media_type=NDJSON)

    app = Starlette(
        routes=[
            Route("/v1/notifications", publish, methods=["POST"]),
            Route("/v1/notifications/batch", publish_batch, methods=["POST"]),
            *status_routes(check, producer, find, budget, limit),
            served("/openapi.json", document()),
        ],
        exception_handlers={**HANDLERS, Rejected: _rejected},
    )
    return counted(without_redirects(app))


_REJECTED: Final = {
    400: "the body is not valid JSON",
    403: "the token does not allow this request",
    413: "the notification is too large",
    422: "the submission is invalid: see errors",
}


def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    return problem(error.status, _REJECTED[error.status], error.errors)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= limits.IDEMPOTENCY_KEY_CHARS:
        most = limits.IDEMPOTENCY_KEY_CHARS
        detail = f"the header Idempotency-Key must have 1 to {most} characters"
        error = FieldError("", "too_long" if key else "too_short", detail, most)
        raise Refused(422, detail, errors=[error])
    return key
