"""Runs one connection after the other, and keeps what they bring in `Progress` until the application takes it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from clarion.client.errors import Disconnected
from clarion.client.network import MakeTls
from clarion.client.subscribing.connection import Connection, items_of, websocket_url
from clarion.client.subscribing.cursor_store import Position
from clarion.client.subscribing.endpoints import Endpoints
from clarion.client.subscribing.marks import Mark
from clarion.client.subscribing.outbox import Outbox
from clarion.client.subscribing.progress import Overrun, Progress
from clarion.client.subscribing.reconnect import Reconnect
from clarion.client.subscribing.state import State, Stats
from clarion.client.subscribing.unread_count import UnreadCount
from clarion.client.tokens import TokenSource
from clarion.contracts.api.close_codes import REFRESH_ON, Close
from clarion.contracts.api.frames import Ack, Batch, Hello, Ping, Resync, ServerFrame, ServerSync
from clarion.contracts.api.frames import Error as ServerError
from clarion.contracts.records.receipts import Op
from clarion.resilience.backoff import Backoff

log = logging.getLogger(__name__)


class ConnectionLoop:
    """The task of a `Subscriber`: connects again and again, takes every frame, and sends acknowledgements and marks.

    `state` is where the subscriber stands now, and `stats` counts what it has done.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenSource,
        tls: MakeTls,
        unread: UnreadCount,
        backoff: Backoff | None,
        on_state: Callable[[State], None] | None,
        on_sync: Callable[[ServerSync | Resync], None] | None,
    ) -> None:
        self._reconnect = Reconnect(Endpoints([websocket_url(url) for url in urls]), backoff)
        self._tokens = tokens
        self._tls = tls
        self._unread = unread
        self._on_state = on_state
        self._on_sync = on_sync
        self._progress = Progress(Position())
        self._outbox = Outbox(self._say)
        self._connection: Connection | None = None
        self._is_plain = False  # `resume` leaves out what an older gateway cannot read
        self._arrived = asyncio.Event()
        self._live = asyncio.Event()
        self.state = State.CLOSED
        self.stats = Stats()

    async def _run(self) -> None:
        """Connect again and again until cancelled. Raise the `SubscribeError` after which there is no return."""
        while True:
            self._enter(State.CONNECTING)
            self._progress.connected()
            url = self._reconnect.addresses.next(time.monotonic())
            token = await self._tokens.current()
            position = self._resumed()
            bound = position.deployment is not None
            self._connection = self._connection_at(url, token, position)
            try:
                ended = await self._connection.run()
            except Overrun as error:
                raise Disconnected(str(error)) from error
            finally:
                was_greeted = self._live.is_set()
                self._connection = None
                self._live.clear()
            if ended.code == Close.PROTOCOL and not was_greeted and bound:
                self._is_plain = True  # an older gateway knows no `user` and `deployment` in `resume`
                ended = replace(ended, code=1006)
            delay_s = self._reconnect.after(
                ended,
                time.monotonic(),
                may_refresh=self._tokens.refreshable,
                is_latest=self._tokens.is_latest(token),
            )
            if ended.code in REFRESH_ON:
                self._tokens.refused(token)
            self.stats.reconnects += 1
            log.debug(
                "the connection ended with %s (%s), and the client connects again in %.2f s",
                ended.code,
                ended.reason,
                delay_s,
            )
            self._enter(State.WAITING)
            await asyncio.sleep(delay_s)

    def _resumed(self) -> Position:
        """Return the position to resume at, without its owner for a gateway that cannot read that."""
        position = self._progress.position
        if position.deployment is None or not self._is_plain:
            return position
        return Position(position.cursors, position.since)

    def _connection_at(self, url: str, token: str, position: Position) -> Connection:
        """Return a connection that is not open yet. A subclass may carry it by something else than a socket."""
        return Connection(url, token, self._tls, position, self._on_frame)

    def _on_frame(self, frame: ServerFrame) -> None:
        match frame:
            case Batch():
                self._progress.batch(frame.tag, items_of(frame), frame.since)
                self._arrived.set()
            case Ping():
                self._progress.ping(frame.since)
                self._arrived.set()
            case Hello():
                self._reconnect.greeted(time.monotonic())
                if not self._progress.belongs_to(frame.user, frame.deployment):
                    log.warning("the stored position is of another user or deployment, and is not used")
                if self._progress.position.since is None:  # else this client may have been taken for a fresh one
                    self._progress.ping(frame.since)
                    self._arrived.set()
                self._unread.told(frame.unread)
                self._live.set()
                self._outbox.resend()
                self._enter(State.LIVE)
            case ServerSync() | Resync():
                if isinstance(frame, ServerSync):
                    if frame.change is Op.RETRACTED:
                        self._progress.retracted(frame.ids)
                        self._arrived.set()
                    self._outbox.synced(frame.change, frame.ids)
                    self._unread.told(frame.unread)
                else:
                    self._progress.forget(frame.forget or ())
                    self._outbox.resend()
                    self._unread.ask_anew()
                if self._on_sync is not None:
                    self._on_sync(frame)
            case ServerError():
                log.warning("the server sent the error %s: %s", frame.code, frame.detail)
                if frame.code == "busy":
                    self._outbox.refused()
            case _:
                pass

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            if self._on_state is not None:
                self._on_state(state)

    async def _acknowledge(self) -> None:
        self.stats.repeats = self._progress.repeats
        tag = self._progress.to_acknowledge()
        if tag is not None and self._connection is not None:
            # if it is lost with its connection, the cursors of the next `resume` acknowledge instead
            await self._connection.send(Ack(tag))

    async def _say(self, mark: Mark) -> bool:
        """Send a mark; return whether it was written. Before `hello` it is not: a gateway takes only `resume` then."""
        return self._live.is_set() and self._connection is not None and await self._connection.send(mark)
