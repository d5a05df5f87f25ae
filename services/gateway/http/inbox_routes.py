"""The routes `/v1/inbox…`: who asks, is there room, and what is asked for. `inbox.py` has the answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import limits
from clarion.contracts.api.inbox import Marked, PageCursor, decode_cursor
from clarion.contracts.api.problems import FieldError
from clarion.contracts.ids import canonical
from clarion.contracts.records.receipts import Op
from clarion.security.tokens import SUBSCRIBE
from clarion.web.bodies import JSON, json_of
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Refused
from services.gateway.http.inbox import Inbox
from services.gateway.http.inbox_limits import InboxLimits, SlotResponse

Endpoint = Callable[[Request], Awaitable[Response]]

MARKS: Final = {"read": Op.READ, "unread": Op.UNREAD, "archive": Op.ARCHIVED, "unarchive": Op.UNARCHIVED}
_PARAMETERS: Final = frozenset({"cursor", "limit", "unread", "archived"})
_HEADERS: Final = {"Cache-Control": "no-store"}
_TRUTH: Final = {"true": True, "false": False}


def inbox_routes(check: TokenCheck, inbox: Inbox, budget: Budget, shares: InboxLimits) -> list[Route]:
    """Return the routes of the inbox; `shares` limits how much each user and address may ask."""

    async def asker(request: Request) -> str:
        claims = await caller(request, check, SUBSCRIBE)
        shares.count_request(claims.subject)
        return claims.subject

    async def page(request: Request) -> Response:
        user = await asker(request)
        asked = request.query_params
        for name in set(asked) - _PARAMETERS:
            raise _invalid(name, "unknown_parameter", "does not exist", ", ".join(sorted(_PARAMETERS)))
        limit, after = _limit(asked), _after(asked)
        unread_only, archived = _truth(asked, "unread"), _truth(asked, "archived")
        if unread_only and archived:
            raise _invalid("unread", "excluded", "excludes `archived`, since nothing in the archive is unread")
        share = shares.enter(user, request)
        try:
            with budget.request():
                found = await inbox.page(user, unread_only=unread_only, archived=archived, after=after, limit=limit)
        except BaseException:
            share.leave()
            raise
        return SlotResponse(share, msgspec.json.encode(found), headers=_HEADERS, media_type=JSON)

    async def count(request: Request) -> Response:
        user = await asker(request)
        with budget.request():
            return _answer(await inbox.unread(user))

    def marking(op: Op) -> Endpoint:
        async def mark(request: Request) -> Response:
            user = await asker(request)
            with budget.request():
                marked = await json_of(request, Marked, limits.MARKED_BYTES, budget)
                return _answer(await inbox.mark(user, op, canonical(marked.ids)))

        return mark

    async def read_all(request: Request) -> Response:
        user = await asker(request)
        with budget.request():
            return _answer(await inbox.read_all(user))

    return [
        Route("/v1/inbox", page, methods=["GET"]),
        Route("/v1/inbox/count", count, methods=["GET"]),
        *(Route(f"/v1/inbox/{verb}", marking(op), methods=["POST"]) for verb, op in MARKS.items()),
        Route("/v1/inbox/read-all", read_all, methods=["POST"]),
    ]


def _answer(found: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(found), headers=_HEADERS, media_type=JSON)


def _limit(asked: Mapping[str, str]) -> int:
    """Return the parameter `limit`. Raises `Refused` (422)."""
    text = asked.get("limit", str(limits.INBOX_PAGE))
    if not (text.isdecimal() and len(text) < 5 and 1 <= int(text) <= limits.INBOX_PAGE_MOST):
        most = limits.INBOX_PAGE_MOST
        raise _invalid("limit", "out_of_range", f"must be a number from 1 to {most}", most)
    return int(text)


def _after(asked: Mapping[str, str]) -> PageCursor | None:
    """Return the cursor after which the page begins; None for the newest. Raises `Refused` (422)."""
    if "cursor" not in asked:
        return None
    try:
        return decode_cursor(asked["cursor"])
    except ValueError as error:
        detail = "must be the unchanged `next` of a page: leave it out to begin at the newest"
        raise _invalid("cursor", "invalid", detail) from error


def _truth(asked: Mapping[str, str], name: str) -> bool:
    """Return a parameter that is true or false; False when it is missing. Raises `Refused` (422)."""
    text = asked.get(name, "false")
    if text not in _TRUTH:
        raise _invalid(name, "unknown_value", "must be true or false", "true|false")
    return _TRUTH[text]


def _invalid(name: str, code: str, fault: str, limit: int | str | None = None) -> Refused:
    """Return a refusal (422) that names the parameter; `fault` follows its name in a sentence."""
    error = FieldError("", code, f"the parameter `{name[:50]}` {fault}", limit)
    return Refused(422, "a parameter is invalid: see errors", errors=[error])
