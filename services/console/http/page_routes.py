"""Serve the operators' page, and in development only, a token to try it with."""

import importlib.resources
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from clarion.contracts import limits
from clarion.security import tokens
from clarion.settings import Settings
from clarion.web.bodies import json_of
from clarion.web.budget import Budget
from clarion.web.page_files import PageFiles
from clarion.web.problem_responses import Unavailable

_BODY_BYTES: Final = 4 * limits.KIB
_TOKEN_TTL_S: Final = 8 * 3600
_PAGE: Final = Path(__file__).resolve().parents[1] / "page"
# Nothing runs but the files of this folder, and no text becomes markup or script: dead letters hold strangers' bytes.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class _Who(msgspec.Struct, forbid_unknown_fields=True):
    user: Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS)]


def page_routes(settings: Settings, budget: Budget) -> list[BaseRoute]:
    """Return the routes `/`, `/page/…` and `/sdk/…`; in development also `/dev/config` and `/dev/token`."""
    page = PageFiles(_PAGE, _POLICY)

    async def index(request: Request) -> Response:
        return await page.get_response("index.html", request.scope)

    routes: list[BaseRoute] = [
        Route("/", index),
        Mount("/page", page),
        Mount("/sdk", PageFiles(_sdk(), _POLICY)),  # its parser of event streams and its backoff
    ]
    return [*routes, *_dev_routes(settings, budget)] if settings.dev else routes


def _sdk() -> Path:
    """Find the browser SDK: inside the installed package, or beside the services in a checkout."""
    installed = Path(str(importlib.resources.files("clarion"))) / "assets" / "src"
    checkout = Path(__file__).resolve().parents[3] / "libs" / "clarion-js" / "src"
    return installed if installed.is_dir() else checkout


def _dev_routes(settings: Settings, budget: Budget) -> list[BaseRoute]:
    """Return the routes that there are in development only."""

    async def config(_: Request) -> Response:
        return JSONResponse({"dev": True}, headers={"cache-control": "no-store"})

    async def token(request: Request) -> Response:
        # Only JSON is taken: a browser sends another site's form without a preflight request, but not JSON.
        user = (await json_of(request, _Who, _BODY_BYTES, budget)).user
        try:
            made = tokens.mint(settings, sub=user, scope=tokens.OPERATE, ttl_s=_TOKEN_TTL_S)
        except tokens.TokenError as error:
            raise Unavailable(f"{error}: set it, and restart the console") from error
        return JSONResponse({"token": made, "expires_in": _TOKEN_TTL_S}, headers={"cache-control": "no-store"})

    return [Route("/dev/config", config), Route("/dev/token", token, methods=["POST"])]
