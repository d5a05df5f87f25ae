"""The gateway's HTTP: its routes, what describes them, errors as problems, and whose pages may ask."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from clarion.settings import Settings
from clarion.web.bodies import JSON
from clarion.web.problem_responses import HANDLERS
from services.gateway import asyncapi, openapi


def make_app(settings: Settings, routes: Sequence[BaseRoute]) -> Starlette:
    """Pages of the origins that may open a socket may ask from a browser, too; no cookie is ever looked at."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.origin_list,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
    described = [
        Route("/openapi.json", _answering(openapi.document())),
        Route("/asyncapi.json", _answering(asyncapi.document())),
    ]
    return Starlette(routes=[*described, *routes], exception_handlers=HANDLERS, middleware=[cors])


def _answering(document: dict[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    encoded = msgspec.json.encode(document)

    async def answer(_: Request) -> Response:
        return Response(encoded, media_type=JSON)

    return answer
