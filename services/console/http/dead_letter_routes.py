"""Serve dead letters to operators: `/v1/dead-letters…`.

Each request is checked in this order: its caller, room for it, its body, its fields.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import limits
from clarion.contracts.api.dead_letters import Chosen, Edit, Filter
from clarion.operating.dead_letters import finding
from clarion.operating.dead_letters.choosing import Shown
from clarion.operating.dead_letters.editing import edit
from clarion.operating.dead_letters.purging import purge
from clarion.operating.dead_letters.replaying import replay
from clarion.web.bodies import JSON, json_of
from clarion.web.callers import TokenCheck
from services.console.desk import Desk
from services.console.http.parameters import parameters_of

REPLAY_WITHIN_S: Final = 15.0  # the answer says where to go on; the last letters may take 10 s more
_HEADERS: Final = {"Cache-Control": "no-store"}


class Listed(Filter, kw_only=True):
    """The parameters of a list of dead letters."""

    state: Shown = "kept"
    limit: Annotated[int, Meta(ge=1, le=limits.DEAD_LETTERS_MOST)] = limits.DEAD_LETTERS_PAGE
    cursor: str | None = None


def dead_letter_routes(check: TokenCheck, desk: Desk) -> list[Route]:
    """Return the routes of dead letters."""

    async def list_letters(request: Request) -> Response:
        await desk.operator(request, check)
        asked = parameters_of(request, Listed)
        with desk.working():
            found = await finding.page(
                desk.stored, desk.names, asked, shown=asked.state, limit=asked.limit, after=asked.cursor
            )
        return _answer(found)

    async def show(request: Request) -> Response:
        await desk.operator(request, check)
        with desk.working():
            return _answer(await finding.show(desk.stored, desk.names, request.path_params["id"]))

    async def change(request: Request) -> Response:
        operator = await desk.operator(request, check)
        with desk.working():
            wanted = await json_of(request, Edit, limits.EDIT_BYTES, desk.budget)
            return _answer(await edit(operator, request.path_params["id"], wanted))

    async def replay_some(request: Request) -> Response:
        operator = await desk.operator(request, check)
        with desk.working():
            chosen = await json_of(request, Chosen, limits.CHOICE_BYTES, desk.budget)
            with desk.sending():
                return _answer(await replay(operator, desk.producer, chosen, within_s=REPLAY_WITHIN_S))

    async def purge_some(request: Request) -> Response:
        operator = await desk.operator(request, check)
        with desk.working():
            chosen = await json_of(request, Chosen, limits.CHOICE_BYTES, desk.budget)
            return _answer(await purge(operator, chosen))

    return [
        Route("/v1/dead-letters", list_letters, methods=["GET"]),
        Route("/v1/dead-letters/replay", replay_some, methods=["POST"]),
        Route("/v1/dead-letters/purge", purge_some, methods=["POST"]),
        Route("/v1/dead-letters/{id:path}", show, methods=["GET"]),
        Route("/v1/dead-letters/{id:path}", change, methods=["PATCH"]),
    ]


def _answer(found: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(found), headers=_HEADERS, media_type=JSON)
