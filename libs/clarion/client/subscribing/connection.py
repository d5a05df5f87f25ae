"""One connection of a subscriber: the handshake, `resume`, then frames until it ends; the reason is returned."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from clarion.client.network import MakeTls, is_local
from clarion.client.subscribing.cursor_store import Position
from clarion.client.subscribing.redirects import followed
from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.frames import Batch, Bye, ClientFrame, Hello, Ping, Pong, Received, Resume, ServerFrame

OPEN_S: Final = 10.0
HELLO_S: Final = 10.0
SILENCE_S: Final = 10.0  # how long beyond the server's ping interval nothing may come
CLOSE_S: Final = 2.0
REDIRECTS: Final = 3
MAX_FRAME_BYTES: Final = 1024 * 1024

log = logging.getLogger(__name__)

# at level debug, websockets logs headers and frames with their tokens, which must not be in an application's log
_wire: Final = logging.getLogger("clarion.client.wire")
_wire.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection ended: the close code (1006 for the network), the reason, and the wait that the server wants.

    `unreadable` says that this side ended the connection, because it could not read a frame of a known kind.
    """

    code: int
    reason: str
    retry_s: float = 0.0
    unreadable: bool = False


class Unreadable(Exception):
    """Raised by `on_frame` for a frame that it cannot read. All else that `on_frame` raises comes out of `run`."""


def items_of(frame: Batch) -> list[Received]:
    """Return the items of a batch. Raise `Unreadable`."""
    try:
        return [frames.decode_item(body) for body in frame.items]
    except msgspec.DecodeError as error:
        raise Unreadable(f"an item of batch {frame.tag} cannot be read: {error}") from error


def _resume(position: Position) -> Resume:
    if position.user is None or position.deployment is None:
        return Resume(position.cursors, position.since)
    return Resume(position.cursors, position.since, position.user, position.deployment)


class _Connect(connect):
    """A `connect` that follows no redirect.

    The one of websockets leaves out the token when it goes to another origin, which then refuses the connection.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connection:
    """One connection to the gateway at `url`, used once. It resumes at `position`.

    `on_frame` is called with every frame of a known kind, and must not block. What it raises comes out of `run`, except
    for `Unreadable`, which ends the connection.
    """

    def __init__(
        self, url: str, token: str, tls: MakeTls, position: Position, on_frame: Callable[[ServerFrame], None]
    ) -> None:
        self._url = websocket_url(url)
        self._token = token
        self._tls = tls
        self._position = position
        self._on_frame = on_frame
        self._connection: ClientConnection | None = None
        self._retry_s = 0.0

    async def run(self) -> Ended:
        """Connect, follow redirects that may be followed, and read frames; return why the connection ended."""
        url = self._url
        for _ in range(REDIRECTS + 1):
            try:
                connection = await self._connect(url)
            except InvalidStatus as error:
                location = error.response.headers.get("Location")
                if location is None or not 300 <= error.response.status_code < 400:
                    return _refused(error)
                target = followed(url, location)
                if target is None:
                    return _misled(url, location)
                url = target
            except (WebSocketException, OSError, TimeoutError) as error:
                return Ended(1006, f"{type(error).__name__}: {error}")
            else:
                return await self._talk(connection)
        return Ended(1006, f"the server redirected more than {REDIRECTS} times from {self._url}")

    async def _connect(self, url: str) -> ClientConnection:
        return await _Connect(
            url,
            subprotocols=[Subprotocol(frames.SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self._token}"},
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=None,  # the server's own messages are the heartbeat
            compression=None,
            logger=_wire,
            max_size=MAX_FRAME_BYTES,
            ssl=self._tls() if url.startswith("wss:") else None,
            proxy=None if is_local(url) else True,
        )

    async def _talk(self, connection: ClientConnection) -> Ended:
        async with connection:
            self._connection = connection
            try:
                await self.send(_resume(self._position))
                ended = await self._read(lambda: connection.recv(decode=False))
            finally:
                self._connection = None
            if ended.unreadable:
                await connection.close(Close.PROTOCOL, "the client cannot read a frame of the server")
            return ended

    async def send(self, frame: ClientFrame) -> bool:
        """Send a frame; return whether it was written.

        A connection that is gone raises nothing here, because `run` returns why it ended.
        """
        if self._connection is None:
            return False
        try:
            await self._connection.send(frames.encode(frame), text=True)
        except ConnectionClosed:
            return False
        return True

    async def _read(self, receive: Callable[[], Awaitable[bytes]]) -> Ended:
        """Read and answer frames until the connection ends, or is silent for too long; return why."""
        within_s = HELLO_S
        while True:
            frame = await self._next(receive, within_s)
            match frame:
                case Ended():
                    return frame
                case None:
                    continue
                case Hello():
                    within_s = frame.ping_s + SILENCE_S
                case Ping():
                    await self.send(Pong())
                case Bye():
                    self._retry_s = frame.retry_ms / 1000
                case _:
                    pass
            try:
                self._on_frame(frame)
            except Unreadable as error:
                return self._unreadable(error)

    async def _next(self, receive: Callable[[], Awaitable[bytes]], within_s: float) -> ServerFrame | Ended | None:
        """Return the next frame, why the connection ended, or None for a frame that only a later version knows.

        What `receive` raises comes out, except for the end of the socket.
        """
        try:
            async with asyncio.timeout(within_s):
                return frames.decode_known(await receive())
        except TimeoutError:
            return Ended(1006, f"the server sent nothing for {within_s:g} s")
        except msgspec.DecodeError as error:
            return self._unreadable(error)
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            reason = error.rcvd.reason if error.rcvd else str(error)
            return Ended(code, reason, self._retry_s)

    def _unreadable(self, error: Exception) -> Ended:
        log.warning("a frame of the server cannot be read: %s", error)
        return Ended(1006, f"a frame of the server cannot be read: {error}", self._retry_s, unreadable=True)


def websocket_url(url: str) -> str:
    """Return `ws://host/v1/ws` for `http://host` or `ws://host`, and `wss:` for TLS. Raise ValueError for all else."""
    scheme, separator, rest = url.partition("://")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if not separator or scheme not in schemes:
        raise ValueError(f"{url!r} is not a gateway's address: it must begin with http://, https://, ws:// or wss://")
    return f"{schemes[scheme]}://{rest.rstrip('/').removesuffix('/v1/ws')}/v1/ws"


def _refused(error: InvalidStatus) -> Ended:
    """Return a refusal of the upgrade as the close code that means the same.

    A gateway itself answers 403 (origin), 429 and 503. All other statuses come from a proxy, and pass.
    """
    response = error.response
    status = response.status_code
    code = _VERDICTS.get(status, Close.LIMIT)
    if 200 <= status < 500 and status not in _PASSING and code is Close.LIMIT:
        log.warning(
            "the url answers with HTTP %s, and the client tries again: check that the url is a gateway's", status
        )
    after = response.headers.get("Retry-After", "")
    return Ended(code, f"the server answered HTTP {status}", float(after) if after.isdigit() else 0.0)


def _misled(url: str, location: str) -> Ended:
    said = f"{url} redirects to {location[:200]}, where no token is sent: use that address, if it is a gateway's"
    log.warning("%s; the client tries again", said)
    return Ended(Close.LIMIT, said)


_VERDICTS: Final = {401: Close.TOKEN, 403: Close.FORBIDDEN}
_PASSING: Final = frozenset({408, 425, 429})
