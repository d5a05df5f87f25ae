"""Counts what ingest answers to publishing requests, which tells how often it was available."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clarion.telemetry import metrics

_PUBLISHING: Final = "/v1/notifications"


def counted(app: ASGIApp) -> ASGIApp:
    """Return `app` with each answer to a publishing request counted by its status.

    A batch that is answered line by line is not counted here: `publish_batch` counts its lines.
    """

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                metrics.answered.labels(message["status"]).inc()
            await send(message)

        publishes = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(_PUBLISHING)
        await app(scope, receive, sending if publishes else send)

    return count
