"""`GET /v1/notifications/{id}`: what became of it, for its sender."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts.ids import UUID_PATTERN
from clarion.contracts.status import Status
from clarion.security.tokens import PUBLISH_ANY, Claims, Verifier
from services.ingest.budget import Budget
from services.ingest.callers import publisher
from services.ingest.problem_responses import Refused

Find = Callable[[str, str | None], Awaitable[Status | None]]

_ID: Final = re.compile(UUID_PATTERN)


def sent_routes(verifier: Verifier, find: Find, budget: Budget) -> list[Route]:
    async def status(request: Request) -> Response:
        claims = await publisher(request, verifier)
        with budget.request():
            found = await _own(request, claims, find)
        return Response(msgspec.json.encode(found), media_type="application/json")

    return [Route("/v1/notifications/{id}", status, methods=["GET"])]


async def _own(request: Request, claims: Claims, find: Find) -> Status:
    """Raises `Refused`: nobody learns whether somebody else's is there."""
    id_ = request.path_params["id"]
    found = await find(id_, None if claims.may(PUBLISH_ANY) else claims.subject) if _ID.fullmatch(id_) else None
    if found is None:
        raise Refused(404, "no such notification of yours, or it is not stored yet")
    return found
