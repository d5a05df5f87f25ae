"""`/v1/notifications/{id}`, for its sender: what became of it, and taking it back."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import times
from clarion.contracts.ids import UUID_PATTERN
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.status import Status
from clarion.security.tokens import PUBLISH, PUBLISH_ANY, Claims
from clarion.telemetry import metrics
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Refused, unavailable
from services.ingest.accept import ACKNOWLEDGED_WITHIN_S, Acceptor
from services.ingest.openapi import Accepted
from services.ingest.sender_limit import SenderLimit

Find = Callable[[str, str | None], Awaitable[Status | None]]

_ID: Final = re.compile(UUID_PATTERN)
_NOT_ACKNOWLEDGED: Final = f"Kafka did not acknowledge within {ACKNOWLEDGED_WITHIN_S:g} s: try again, it does no harm"


def sent_routes(check: TokenCheck, acceptor: Acceptor, find: Find, budget: Budget, limit: SenderLimit) -> list[Route]:
    async def status(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        with budget.request():
            limit.charge(claims.subject, 1)
            found = await _own(request, claims, find)
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def retract(request: Request) -> Response:
        claims = await caller(request, check, PUBLISH, PUBLISH_ANY)
        with budget.request():
            limit.charge(claims.subject, 1)
            found = await _own(request, claims, find)
            receipt = Receipt(found.recipient, Op.RETRACTED, [found.id], times.now())
            if not await acceptor.tell(receipt):
                return unavailable(_NOT_ACKNOWLEDGED)
        metrics.retracted.inc()
        return Response(msgspec.json.encode(Accepted(id=found.id)), 202, media_type="application/json")

    return [
        Route("/v1/notifications/{id}", status, methods=["GET"]),
        Route("/v1/notifications/{id}", retract, methods=["DELETE"]),
    ]


async def _own(request: Request, claims: Claims, find: Find) -> Status:
    """Raises `Refused`: nobody learns whether somebody else's is there."""
    id_: str = request.path_params["id"]
    if not _ID.fullmatch(id_):
        raise Refused(404, "no id is like this: it is a UUID of 36 characters, without braces or `urn:uuid:`")
    found = await find(id_.lower(), None if claims.may(PUBLISH_ANY) else claims.subject)
    if found is None:
        raise Refused(404, "no such notification of yours, or it is not stored yet")
    return found
