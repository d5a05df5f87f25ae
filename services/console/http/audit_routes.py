"""Serve the audit log to operators: `/v1/audit`."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import limits
from clarion.operating.audit_page import page
from clarion.web.bodies import JSON
from clarion.web.callers import TokenCheck
from services.console.desk import Desk
from services.console.http.parameters import parameters_of

_HEADERS: Final = {"Cache-Control": "no-store"}
_Text = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS)]
_Moment = Annotated[datetime, Meta(tz=True)]


class Listed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a list of entries."""

    who: _Text | None = None
    action: _Text | None = None
    since: _Moment | None = None
    until: _Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.AUDIT_PAGE_MOST)] = limits.AUDIT_PAGE
    cursor: str | None = None


def audit_routes(check: TokenCheck, desk: Desk) -> list[Route]:
    """Return the route of the audit log."""

    async def list_entries(request: Request) -> Response:
        await desk.operator(request, check)
        asked = parameters_of(request, Listed)
        with desk.working():
            found = await page(
                desk.stored,
                who=asked.who,
                action=asked.action,
                since=asked.since,
                until=asked.until,
                after=asked.cursor,
                limit=asked.limit,
            )
        return Response(msgspec.json.encode(found), headers=_HEADERS, media_type=JSON)

    return [Route("/v1/audit", list_entries, methods=["GET"])]
