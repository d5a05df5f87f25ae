"""Serve the overview, live and at once, and the charts: `/v1/overview`, `/v1/stream`, `/v1/charts`.

None of them needs MongoDB or Kafka, since they are wanted most when one of these is away.
"""

from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from clarion.contracts.api import streams
from clarion.contracts.api.close_codes import Close
from clarion.web.bodies import JSON
from clarion.web.callers import TokenCheck
from clarion.web.problem_responses import Refused
from services.console.desk import Desk
from services.console.live import Live

STILL_HERE_S: Final = 15.0  # between two events a comment tells proxies and the page that the stream lives
_HEADERS: Final = {"Cache-Control": "no-store"}
# A proxy that gathers an answer to compress it would hold every event back.
_STREAM_HEADERS: Final = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
_STILL_HERE: Final = b": still here\n\n"


def overview_routes(check: TokenCheck, desk: Desk) -> list[Route]:
    """Return the routes of the overview."""

    async def show(request: Request) -> Response:
        await desk.operator(request, check)
        with desk.budget.request():
            return Response((await desk.live.now()).overview, headers=_HEADERS, media_type=JSON)

    async def charts(request: Request) -> Response:
        await desk.operator(request, check)
        with desk.budget.request():
            return Response((await desk.live.now()).charts, headers=_HEADERS, media_type=JSON)

    async def stream(request: Request) -> Response:
        await desk.operator(request, check)
        return _Stream(desk.live, _events(request, check, desk))

    return [
        Route("/v1/overview", show, methods=["GET"]),
        Route("/v1/charts", charts, methods=["GET"]),
        Route("/v1/stream", stream, methods=["GET"]),
    ]


class _Stream(StreamingResponse):
    """An event stream that counts as a viewer, from before its first byte until it ends in whatever way."""

    def __init__(self, live: Live, events: AsyncGenerator[bytes]) -> None:
        super().__init__(events, headers=_STREAM_HEADERS, media_type=streams.MEDIA_TYPE)
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Raise `Full`, before anything is sent, beyond the most viewers."""
        with self._live.viewing():
            await super().__call__(scope, receive, send)


async def _events(request: Request, check: TokenCheck, desk: Desk) -> AsyncGenerator[bytes]:
    """Yield an event for each look, until the token is good no more or the process ends: the last event says why."""
    number = 0
    while True:
        seen = await desk.live.after(number, STILL_HERE_S)
        if desk.live.has_ended:
            yield streams.close_event(Close.GOING_AWAY, "this console ends: connect again")
            return
        try:
            await desk.operator(request, check)  # it may have ended, or been revoked, since the stream began
        except Refused as refusal:
            code = Close.TOKEN if refusal.status_code == 401 else Close.TRY_AGAIN
            yield streams.close_event(code, refusal.detail)
            return
        if seen is None:
            yield _STILL_HERE
        else:
            number = seen.number
            yield streams.event(seen.overview)
