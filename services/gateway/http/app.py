"""Puts the gateway's HTTP together: its routes, their descriptions, errors as problem details, and CORS."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from clarion.settings import Settings
from clarion.web.openapi import served
from clarion.web.problem_responses import HANDLERS, problem
from clarion.web.slashes import without_redirects
from services.gateway.http import asyncapi, openapi


class _Cors(CORSMiddleware):
    """Starlette's CORS, with refusals as problem details."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight request; a refusal, which Starlette sends as text, becomes problem details."""
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem(response.status_code, bytes(response.body).decode(), headers=headers)


def make_app(settings: Settings, routes: Sequence[BaseRoute]) -> ASGIApp:
    """Make the application.

    The pages that may open a socket may also use its routes from a browser. No cookie is ever looked at.
    """
    described = [served("/openapi.json", openapi.document()), served("/asyncapi.json", asyncapi.document())]
    app = without_redirects(Starlette(routes=[*described, *routes], exception_handlers=HANDLERS))
    return _Cors(  # around all of it, since Starlette answers unexpected errors outside its own middleware
        app,
        allow_origins=settings.origin_list,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
