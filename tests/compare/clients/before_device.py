"""A device of the replaced system: it hears what is for anybody, and shows what is for its own user."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.compare.clients.device import Tell

SHOWN: Final = "notification:new"  # one of the four events; to the others this application does not listen
_RETURNS_AFTER_S: Final = 1.0
_MARK: Final = f'"event":"{SHOWN}"'.encode()


class BeforeDevice:
    """One user's socket."""

    def __init__(self, tell: Tell, url: str) -> None:
        self._tell = tell
        self._url = f"{url}?user={tell.user}"
        self._connection: ClientConnection | None = None

    async def run(self) -> None:
        """Connect again and again until cancelled."""
        while True:
            try:
                async with connect(self._url, compression=None, proxy=None, max_size=None) as connection:
                    self._connection = connection
                    self._tell.live()
                    await self._read(connection)
            except (WebSocketException, OSError, TimeoutError) as error:
                self._tell.ended(f"{type(error).__name__}: {error}"[:200])
            self._connection = None
            await asyncio.sleep(_RETURNS_AFTER_S)

    async def _read(self, connection: ClientConnection) -> None:
        while True:
            text = await connection.recv(decode=False)
            if _MARK not in text:  # three of four are not listened to: their JSON is not read
                continue
            told: dict[str, Any] = msgspec.json.decode(text)
            notification = told["notification"]
            if notification["recipient"] == self._tell.user:
                self._tell.got(notification["data"]["key"])
                await connection.send(msgspec.json.encode({"event": "read", "id": notification["id"]}), text=True)

    def cut(self) -> None:
        """Abort the connection's transport."""
        if self._connection is not None:
            self._connection.transport.abort()


def maker() -> Callable[[Tell], BeforeDevice]:
    """Return what makes devices."""
    url = os.environ["COMPARE_URL"].replace("http:", "ws:") + "/ws"
    return lambda tell: BeforeDevice(tell, url)
