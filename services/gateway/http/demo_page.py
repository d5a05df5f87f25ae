"""Serves the demo page, the browser SDK that it uses, and, in development only, the routes to try it with."""

import asyncio
import importlib.resources
from collections.abc import Awaitable, Callable, Sequence
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

Publish = Callable[[str], Awaitable[None]]

_BODY_BYTES: Final = 4 * limits.KIB  # a name of 128 characters at their longest escape, and room to spare
_PUBLISH_S: Final = 10.0
_LATE: Final = f"the notification was not published: Kafka did not answer within {_PUBLISH_S:g} s"
_TOKEN_TTL_S: Final = 3600

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _User(msgspec.Struct, forbid_unknown_fields=True):
    user: Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS)]


class _Recipient(msgspec.Struct, forbid_unknown_fields=True):
    recipient: Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS)]


def assets_path() -> Path:
    """Find the page and the SDK: inside the installed package, or beside the services in a checkout.

    Raises FileNotFoundError, which says where it looked.
    """
    installed = Path(str(importlib.resources.files("clarion"))) / "assets"
    checkout = Path(__file__).resolve().parents[3] / "libs" / "clarion-js"
    for path in (installed, checkout):
        if (path / "page" / "index.html").is_file():
            return path
    raise FileNotFoundError(
        f"the page is neither in {installed} nor in {checkout}: install the wheel, or run from a checkout"
    )


def page_routes(
    assets: Path, settings: Settings, publish: Publish, users: Sequence[str], budget: Budget
) -> list[BaseRoute]:
    """Return the routes `/`, `/page/…` and `/sdk/…`; in development also `/dev/config`, `/dev/token` and `/dev/send`.

    `publish(recipient)` sends one notification of each priority, and raises OSError when that cannot be done now. The
    page offers `users` in development. Errors come out as exceptions of `clarion.web`.
    """
    page = PageFiles(assets / "page", _PAGE_POLICY)

    async def index(request: Request) -> Response:
        return await page.get_response("index.html", request.scope)

    routes: list[BaseRoute] = [
        Route("/", index),
        Mount("/page", page),
        Mount("/sdk", PageFiles(assets / "src", _PAGE_POLICY)),
    ]
    return [*routes, *_dev_routes(settings, publish, users, budget)] if settings.dev else routes


def _dev_routes(settings: Settings, publish: Publish, users: Sequence[str], budget: Budget) -> list[BaseRoute]:
    """Return the routes that there are in development only."""

    async def config(_: Request) -> Response:
        return JSONResponse({"dev": True, "users": list(users)}, headers={"cache-control": "no-store"})

    async def token(request: Request) -> Response:
        # Only JSON is taken: a browser sends another site's form without a preflight request, but not JSON.
        user = (await json_of(request, _User, _BODY_BYTES, budget)).user
        try:
            made = tokens.mint(settings, sub=user, scope=tokens.SUBSCRIBE, ttl_s=_TOKEN_TTL_S)
        except tokens.TokenError as error:
            raise Unavailable(f"{error}: set it, and restart the gateway") from error
        return JSONResponse({"token": made, "expires_in": _TOKEN_TTL_S}, headers={"cache-control": "no-store"})

    async def send(request: Request) -> Response:
        recipient = (await json_of(request, _Recipient, _BODY_BYTES, budget)).recipient
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await publish(recipient)
        except OSError as error:  # TimeoutError is one
            raise Unavailable(f"the notification was not published: {error}" if str(error) else _LATE) from error
        return Response(status_code=202)

    return [
        Route("/dev/config", config),
        Route("/dev/token", token, methods=["POST"]),
        Route("/dev/send", send, methods=["POST"]),
    ]
