"""The admin port of every process: Kubernetes probes, health with reasons, and Prometheus metrics."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from clarion.telemetry.health import Health
from clarion.web.problem_responses import HANDLERS
from clarion.web.slashes import without_redirects

_DATE_S: Final = 1.0


class Server(uvicorn.Server):
    """uvicorn in an event loop and a process that it does not own: `clarion.process` handles the signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Begin to end at once: close the listeners, then the connections."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Run until `end` is called, updating the date of answers once a second.

        uvicorn's own loop looks ten times a second whether it is to end, which is half of what an idle process costs.
        """
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_S):
                    await self._ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none, unlike uvicorn."""
        yield


class StartNoted(Server):
    """A server that notes in `health` when it listens."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._health.started = True


async def serve(config: uvicorn.Config, *, server_class: type[Server] = Server, **kwargs: Any) -> None:
    """Serve until cancelled, then close listeners and connections within uvicorn's own deadline.

    Raise OSError when the port is taken, where uvicorn alone would end the process silently.
    """
    server = server_class(config, **kwargs)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.end()
        await serving
        raise
    except SystemExit as error:
        raise OSError(f"cannot listen on {config.host}:{config.port}") from error


def admin_app(health: Health) -> Starlette:
    """Return the application of the admin port: probes, health with reasons, and metrics."""
    started = time.time()

    def probe(reasons: Callable[[], list[str]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            found = reasons()
            return JSONResponse({"ok": not found, "reasons": found}, 503 if found else 200)

        return answer

    async def overall(_: Request) -> Response:
        status, reasons = health.status()
        body = {
            "service": health.service,
            "status": status,
            "reasons": reasons,
            "dependencies": health.told_dependencies(),
        }
        return JSONResponse(body, 503 if status == "failing" else 200)

    async def word(_: Request) -> Response:
        return PlainTextResponse(health.status()[0])

    async def figures(_: Request) -> Response:
        known: dict[str, object] = {"service": health.service, "uptime_s": round(time.time() - started, 3)}
        known["dependencies"] = health.told_dependencies()
        for read in health.figures:
            known |= read()
        return JSONResponse(known)

    async def prometheus(_: Request) -> Response:
        # a large registry takes milliseconds to render: not on the event loop
        text = await asyncio.to_thread(generate_latest, REGISTRY)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    app = Starlette(
        routes=[
            Route("/healthz/live", probe(health.live)),
            Route("/healthz/ready", probe(health.unready)),
            Route("/healthz/startup", probe(lambda: [] if health.started else ["starting"])),
            Route("/health", overall),
            Route("/health/status", word),
            Route("/health/metrics", figures),
            Route("/metrics", prometheus),
        ],
        exception_handlers=HANDLERS,
    )
    return without_redirects(app)


async def serve_admin(health: Health, host: str, port: int) -> None:
    """Serve the admin port until cancelled. Raise OSError when the port is taken."""
    config = uvicorn.Config(
        admin_app(health), host=host, port=port, log_config=None, access_log=False, lifespan="off", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    await serve(config)
