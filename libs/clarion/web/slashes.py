"""Serves a path with a slash at its end as the one without.

Starlette would redirect to an address that it builds from the request. Behind a proxy that ends TLS, that address has
`http` and a host that only the proxy knows, and a client that followed it would send its token there in the clear.
"""

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


class EitherSlash:
    """Middleware that removes the slash. `without_redirects` adds it, and turns off the redirects that it replaces."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path: str = scope.get("path", "")
        if path.endswith("/") and path.strip("/") and not path.endswith("//"):
            scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)


def without_redirects(app: Starlette) -> Starlette:
    """Make an application ignore slashes at the end of paths instead of redirecting; return it."""
    app.router.redirect_slashes = False
    app.add_middleware(EitherSlash)
    return app
