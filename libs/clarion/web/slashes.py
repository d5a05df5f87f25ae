"""A path with a slash at its end is served as the one without it.

Starlette would redirect to an address that it builds from what it sees: behind a proxy that ends TLS that is `http` and
a host that only the proxy knows, and a client that followed it would send its token there in the clear.
"""

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


class EitherSlash:
    """Middleware; `without_redirects` turns off what it stands for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if path.endswith("/") and path.strip("/") and not path.endswith("//"):
            scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)


def without_redirects(app: Starlette) -> Starlette:
    app.router.redirect_slashes = False
    app.add_middleware(EitherSlash)
    return app
