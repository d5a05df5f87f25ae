"""The gateway's HTTP: its routes, what describes them, errors as problems, and whose pages may ask."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from clarion.settings import Settings
from clarion.slashes import without_redirects
from clarion.web.openapi import served
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
    described = [served("/openapi.json", openapi.document()), served("/asyncapi.json", asyncapi.document())]
    app = Starlette(routes=[*described, *routes], exception_handlers=HANDLERS, middleware=[cors])
    return without_redirects(app)
