"""Serve `/v1/notifications/{id}` to the notification's sender: what became of it, and taking it back."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import times
from clarion.contracts.api.status import State, Status
from clarion.contracts.ids import UUID_PATTERN
from clarion.contracts.records.receipts import Op, Receipt, Unfound
from clarion.security.tokens import PUBLISH, PUBLISH_ANY, Claims
from clarion.telemetry import metrics
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Refused, unavailable
from services.ingest.openapi import Accepted
from services.ingest.producer import ACKNOWLEDGED_WITHIN_S, IngestProducer
from services.ingest.sender_limit import SenderLimit, UnfoundLimit
from services.ingest.traces import traceparent_of

Find = Callable[[str, str | None], Awaitable[Status | None]]

_ID: Final = re.compile(UUID_PATTERN)
_NOT_ACKNOWLEDGED: Final = (
    f"Kafka did not acknowledge the retraction within {ACKNOWLEDGED_WITHIN_S:g} s: repeat the request, "
    "since retracting twice is the same as once"
)
_NOT_YOURS: Final = "there is no such notification of yours, or it is not stored yet"


def status_routes(
    check: TokenCheck, producer: IngestProducer, find: Find, budget: Budget, limit: SenderLimit
) -> list[Route]:
    """Return the routes that tell what became of a notification, and take it back."""
    unfound = UnfoundLimit()

    async def status(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        with budget.request():
            limit.charge(claims.subject, 1)
            found = await find(_id(request), None if claims.may(PUBLISH_ANY) else claims.subject)
            if found is None:
                raise Refused(404, _NOT_YOURS)
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def retract(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        with budget.request():
            limit.charge(claims.subject, 1)
            id_ = _id(request)
            receipt = _retraction(id_, await find(id_, None), claims)
            receipt.traceparent = traceparent_of(request)
            if receipt.unfound:
                unfound.charge(claims.subject)
            if not await producer.tell(receipt):
                return unavailable(_NOT_ACKNOWLEDGED)
        metrics.retracted.inc()
        if receipt.unfound:
            metrics.retracted_unfound.inc()
        return Response(msgspec.json.encode(Accepted(id=id_)), 202, media_type="application/json")

    return [
        Route("/v1/notifications/{id}", status, methods=["GET"]),
        Route("/v1/notifications/{id}", retract, methods=["DELETE"]),
    ]


def _id(request: Request) -> str:
    """Return the id that the path names, in lower case. Raise `Refused` (404) when it is not a UUID."""
    id_: str = request.path_params["id"]
    if not _ID.fullmatch(id_):
        raise Refused(404, "the path names no id: an id is a UUID of 36 characters, without braces or `urn:uuid:`")
    return id_.lower()


def _retraction(id_: str, found: Status | None, claims: Claims) -> Receipt:
    """Return the receipt that retracts what was found, or what may be on its way, for the stream to find.

    Raise `Refused` when it is another sender's. What became a dead letter without being stored is nobody's, since
    another sender may use its id.
    """
    may_any = claims.may(PUBLISH_ANY)
    if found is None or found.recipient is None or found.state is State.DEAD:
        return Receipt(id_, Op.RETRACTED, [id_], times.now(), unfound=Unfound(None if may_any else claims.subject))
    if not may_any and found.sender != claims.subject:
        raise Refused(404, _NOT_YOURS)
    return Receipt(found.recipient, Op.RETRACTED, [id_], times.now())
