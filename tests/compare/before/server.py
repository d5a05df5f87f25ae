"""The replaced system: one process with an HTTP entrance, WebSockets, a cron, and four broadcasts per notification.

README.md beside this file says which sentence of its description each part comes from. Where the description leaves a
choice, the better one is taken: uvloop, indexes for what is asked on connecting, an insert before each broadcast, an
answer as soon as it is stored, marks of what was read.

`python -m tests.compare.before.server` reads COMPARE_MONGODB, COMPARE_PORT and COMPARE_LOG.
"""

import asyncio
import logging
import os
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import uvicorn
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import ASCENDING
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

# "broadcast every notification four times"
EVENTS: Final = ("notification", "notification:new", "notification:update", "user:notification")
CRON_S: Final = 60.0  # "minute crons"

Document = dict[str, Any]
log = logging.getLogger("before")


class System:
    """All that the process knows. None of its maps ever shrinks: "unbounded maps"."""

    def __init__(self, notifications: "AsyncIOMotorCollection[Document]") -> None:
        self.notifications = notifications
        self.sockets: dict[str, WebSocket] = {}  # by id; those to which is broadcast
        self.sockets_of: defaultdict[str, list[WebSocket]] = defaultdict(list)  # by user, never taken out
        self.known: dict[str, Document] = {}  # every notification since the start
        self.keys_of: defaultdict[str, list[str]] = defaultdict(list)  # by user, their notifications
        self.failed = 0

    async def accept(self, content: Document) -> Document:
        """Insert one notification ("single inserts") and remember it."""
        held = content.get("deliver_at") is not None
        document = {**content, "read": False, "sent": not held, "created_at": time.time()}
        await self.notifications.insert_one(document)
        return self._remember(document)

    def _remember(self, document: Document) -> Document:
        notification = _plain(document)
        self.known[notification["id"]] = notification
        self.keys_of[notification["recipient"]].append(notification["id"])
        return notification

    async def broadcast(self, notification: Document) -> None:
        """Send it to everybody, under each of the four names."""
        for event in EVENTS:
            text, sent = _text(event, notification), 0
            for key, socket in list(self.sockets.items()):
                sent += await self._send(key, socket, text)
            log.info("broadcast %s of %s to %d sockets", event, notification["id"], sent)  # "blocking logs"

    async def _send(self, key: str, socket: WebSocket, text: str) -> bool:
        """A socket that is dead is found here, by the failure, and nowhere else: "dead connections"."""
        try:
            await socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            self.failed += 1
            self.sockets.pop(key, None)
            log.error("a send failed: %s %s", type(error).__name__, error)  # noqa: TRY400 - a trace would cost more
            return False
        return True

    async def serve(self, socket: WebSocket) -> None:
        """Accept a socket, send what its user has not read, and take marks until it ends."""
        user = socket.query_params["user"]
        await socket.accept()
        key = f"{user}-{id(socket)}"
        self.sockets[key] = socket
        self.sockets_of[user].append(socket)
        log.info("%s is connected", user)
        try:
            unread = self.notifications.find({"recipient": user, "read": False, "sent": True}).sort("_id", ASCENDING)
            async for document in unread:
                await socket.send_text(_text(EVENTS[1], _plain(document)))
            while True:
                mark = msgspec.json.decode(await socket.receive_text())
                await self.notifications.update_one({"_id": ObjectId(mark["id"])}, {"$set": {"read": True}})
        except (WebSocketDisconnect, RuntimeError):  # the other is raised while something is sent
            log.info("%s is gone", user)

    async def cron(self) -> None:
        """Look each minute through all notifications for what is due, by the clock's minutes as cron does."""
        while True:
            await asyncio.sleep(CRON_S - time.time() % CRON_S)
            due = self.notifications.find({"sent": False, "deliver_at": {"$lte": time.time()}})
            async for document in due:
                await self.notifications.update_one({"_id": document["_id"]}, {"$set": {"sent": True}})
                await self.broadcast(self._remember(document))
            log.info("the cron has run")


def _plain(document: Document) -> Document:
    """Return a stored notification as clients get it."""
    return {name: value for name, value in document.items() if name != "_id"} | {"id": str(document["_id"])}


def _text(event: str, notification: Document) -> str:
    return msgspec.json.encode({"event": event, "notification": notification}).decode()


def application(system: System) -> Starlette:
    """Return the HTTP and WebSocket entrance."""

    async def publish(request: Request) -> Response:
        notification = await system.accept(msgspec.json.decode(await request.body()))
        is_held = notification.get("deliver_at") is not None
        return Response(
            msgspec.json.encode({"id": notification["id"]}),
            status_code=201,
            media_type="application/json",
            background=None if is_held else BackgroundTask(system.broadcast, notification),
        )

    async def state(_: Request) -> Response:
        return Response(msgspec.json.encode({"sockets": len(system.sockets), "failed": system.failed}))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        await system.notifications.create_index([("recipient", ASCENDING), ("read", ASCENDING)])
        cron = asyncio.create_task(system.cron(), name="cron")
        yield
        cron.cancel()

    routes = [
        Route("/notifications", publish, methods=["POST"]),
        Route("/state", state),
        WebSocketRoute("/ws", system.serve),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Serve until the process is ended."""
    handler = logging.FileHandler(os.environ["COMPARE_LOG"])
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(os.environ["COMPARE_MONGODB"])
    system = System(client["before"]["notifications"])
    uvicorn.run(
        application(system),
        host="127.0.0.1",
        port=int(os.environ["COMPARE_PORT"]),
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
