"""Serve the story of one notification and how one user stands: `/v1/trace/{id}`, `/v1/users/{id}`.

Each look-up is in the audit log, since it tells what concerns one person.
"""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.contracts import names
from clarion.contracts.api.problems import FieldError
from clarion.contracts.ids import is_uuid
from clarion.operating.audit_log import audited
from clarion.operating.trace.trace import trace
from clarion.store.queries import user_overview
from clarion.web.bodies import JSON
from clarion.web.callers import TokenCheck
from clarion.web.problem_responses import Refused
from services.console.desk import Desk

_HEADERS: Final = {"Cache-Control": "no-store"}
_UUID_CHARS: Final = 36


def look_up_routes(check: TokenCheck, desk: Desk) -> list[Route]:
    """Return the routes of look-ups."""

    async def story(request: Request) -> Response:
        operator = await desk.operator(request, check)
        id_ = _notification(request.path_params["id"])
        with desk.working(), desk.traces.request():
            async with audited(operator, "trace.look_up", {"notification": id_}) as entry:
                told = await trace(desk.settings, id_)
                entry.detail = str(told.ending)
        return _answer(told)

    async def user(request: Request) -> Response:
        operator = await desk.operator(request, check)
        name = _user(request.path_params["id"])
        with desk.working():
            async with audited(operator, "user.look_up", {"user": name}) as entry:
                found = await user_overview.find(desk.stored, name)
                entry.detail = "connected" if found.sessions else "not connected"
        return _answer(found)

    return [
        Route("/v1/trace/{id}", story, methods=["GET"]),
        Route("/v1/users/{id:path}", user, methods=["GET"]),
    ]


def _notification(text: str) -> str:
    """Return a canonical id. Raise `Refused` for what is none."""
    id_ = text.strip().lower()
    if len(id_) != _UUID_CHARS or not is_uuid(id_):
        error = FieldError("/id", "invalid", f"must be the id of a notification, a UUID of {_UUID_CHARS} characters")
        raise Refused(422, "a parameter is invalid: see errors", errors=[error])
    return id_


def _user(name: str) -> str:
    """Return the name of a user. Raise `Refused` for what can be none."""
    if fault := names.fault_of(name):
        raise Refused(422, "a parameter is invalid: see errors", errors=[FieldError("/id", "invalid", fault)])
    return name


def _answer(found: object) -> Response:
    return Response(msgspec.json.encode(found), headers=_HEADERS, media_type=JSON)
