"""What clients do: connect, say something, acknowledge, leave. What the mailbox brings is routed in `router.py`."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog

from clarion.contracts import times
from clarion.contracts.api import frames, streams
from clarion.contracts.api.close_codes import Close
from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.settings import Settings
from clarion.store.driver.database import Collection, LoopCollection
from clarion.telemetry import metrics
from clarion.web.revocations import Revocations
from services.gateway.access.connect import Connector, take_first
from services.gateway.access.connection_limits import SOON_S, ConnectionLimits, Refusal
from services.gateway.access.heartbeats import Heartbeats
from services.gateway.access.resume import Beyond
from services.gateway.client.connection import RETRY_MS, Connection, Transport
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem, ProtocolViolation
from services.gateway.client.feed import Feed
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.read_scheduler import ReadScheduler
from services.gateway.delivery.rooms import Rooms
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

GREETED: Final = ConnectionState.GREETED
CLOSING: Final = ConnectionState.CLOSING
SENT_AWAY_EVERY_S: Final = 0.02  # at least


@dataclass(slots=True)
class Hub:
    """The connections of this gateway. While it holds no mailbox, sockets are refused."""

    held: HeldMailbox
    connection_limits: ConnectionLimits
    connector: Connector
    rooms: Rooms
    receipt_sender: ReceiptSender
    catch_up: CatchUp
    heartbeats: Heartbeats
    frames_per_s: int
    draining: bool = False
    _clients: set[Connection] = field(default_factory=set[Connection])
    _streams: dict[str, Connection] = field(default_factory=dict[str, Connection])  # by session
    _spoken: Counter[Connection] = field(default_factory=Counter[Connection])  # frames in this second
    _working: dict[Connection, set["asyncio.Task[None]"]] = field(
        default_factory=dict[Connection, set["asyncio.Task[None]"]]
    )

    def __len__(self) -> int:
        return len(self._clients)

    # ---- sockets and streams (see `base.ConnectionHandler`)

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        if self.draining or self.held.reader is None:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "not ready, come back shortly", SOON_S)
        return self.connection_limits.refusal(address, shows_token=shows_token)

    def on_open(self, transport: Transport, address: str) -> Connection:
        now = times.now()
        self.connection_limits.enter(address)
        connection = Connection(transport, Feed(opened=now, since=now), address)
        self._clients.add(connection)
        metrics.connections.labels("open").set(len(self._clients))
        return connection

    def on_stream_open(self, transport: Transport, address: str) -> Connection:
        """As `on_open`, of a client that only listens: what it has to say comes by POST, to any gateway."""
        assert self.held.reader is not None  # or it was refused
        lease = self.held.reader.lease
        connection = self.on_open(transport, address)
        connection.by_post = True
        connection.session = streams.new_session(lease.mailbox, lease.epoch)
        self._streams[connection.session] = connection
        metrics.streams.set(len(self._streams))
        return connection

    def on_token(self, connection: Connection, token: str) -> None:
        self._start(connection, self.connector.admit(connection, token))

    def on_message(self, connection: Connection, text: bytes) -> None:
        try:
            self._answer(connection, frames.decode_client(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ProtocolViolation) as error:
            connection.close(Close.PROTOCOL, str(error)[:100])

    def on_writable(self, connection: Connection, is_writable: bool) -> None:
        connection.feed.paused = not is_writable
        if is_writable:
            self.rooms.settle(connection)
            self._feed_again(connection)

    def on_control_frame(self, connection: Connection) -> None:
        """In a frame that is no whole message: a ping, or a part."""
        self._count(connection)

    def on_closing(self, connection: Connection, code: int | None) -> None:
        """The last word is said: ours, or with no code of ours the client's."""
        if code is not None:
            metrics.closed.labels(str(code)).inc()
        if connection.is_open:  # else it was this side that ended it
            connection.advance(ConnectionState.CLOSING)
        self._leave(connection)
        self.heartbeats.closing(connection)

    def on_closed(self, connection: Connection) -> None:
        self._clients.discard(connection)
        self.connection_limits.leave(connection.address)
        connection.advance(ConnectionState.CLOSED)
        self.heartbeats.forget(connection)
        if self._streams.pop(connection.session, None):
            metrics.streams.set(len(self._streams))
        self._spoken.pop(connection, None)
        for task in self._working.get(connection, ()):
            task.cancel()
        self._leave(connection)
        metrics.connections.labels("open").set(len(self._clients))

    # ---- frames

    def on_posted_ack(self, user: str, session: str, tag: int) -> bool:
        """An acknowledgement by POST, perhaps to another gateway. False when `user` has no such stream here."""
        connection = self._streams.get(session)
        if connection is None or not GREETED <= connection.state < CLOSING or connection.user != user:
            return False
        try:
            self._answer(connection, frames.Ack(tag) if tag else frames.Pong())
        except ProtocolViolation as violation:
            connection.close(Close.PROTOCOL, str(violation))
        return True

    def _answer(self, connection: Connection, frame: frames.ClientFrame) -> None:
        was_pong_due, connection.pong_due = connection.pong_due, False
        is_first, connection.heard = not connection.heard, True
        if connection.state < GREETED and take_first(connection, frame):
            return
        match frame:
            case frames.Ack():
                if handled := connection.feed.ack(frame.tag):
                    self._acknowledge(connection, handled)
                    return
            case frames.Resume():
                if not is_first:
                    raise ProtocolViolation("resume comes first")
                self._start(connection, self.connector.resume_late(connection, frame))
                return
            case frames.Read() | frames.Unread() | frames.Archive():
                op = _OPS[type(frame)]
                if not self.receipt_sender.put(connection.receipt(op, frame.ids)):
                    connection.refuse("busy", f"{op} was not taken, try again later")
            case frames.Auth():
                self._start(connection, self.connector.refresh(connection, frame.token))
            case frames.Pong():
                if was_pong_due or connection.by_post:  # those have their limit where they are posted
                    return
        self._count(connection)

    def _count(self, connection: Connection) -> None:
        """Acknowledgements of what was sent and answers to pings are free; the rest is limited."""
        self._spoken[connection] += 1
        if self._spoken[connection] > self.frames_per_s:
            connection.close(Close.LIMIT, f"at most {self.frames_per_s} frames a second")

    def _acknowledge(self, connection: Connection, handled: Sequence[OutgoingItem]) -> None:
        stored: list[str] = []
        early: list[str] = []
        for item in handled:
            _DELIVERED[item.lane].n += 1
            (stored if item.stored else early).append(item.id)
        if stored:
            self.receipt_sender.delivered(connection, stored)
        if early:
            self.receipt_sender.delivered(connection, early, unstored=True)
        self._feed_again(connection)

    def _feed_again(self, connection: Connection) -> None:
        if not connection.feed.is_live:
            self.catch_up.want(connection)

    def _start(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Something short for one connection, which ends with it. None lasts: what is idle has no task."""
        task = asyncio.create_task(work)
        self._working.setdefault(connection, set()).add(task)
        task.add_done_callback(partial(self._done, connection))

    def _done(self, connection: Connection, task: "asyncio.Task[None]") -> None:
        tasks = self._working[connection]
        tasks.discard(task)
        if not tasks:
            del self._working[connection]
        if not task.cancelled() and (error := task.exception()):
            log.error("a connection's task failed", exc_info=error, session=connection.session)
            connection.close(Close.INTERNAL, "internal error", retry_ms=RETRY_MS)

    async def each_second(self) -> None:
        """It has its own frames, and what is read ahead is not kept for longer."""
        while True:
            await asyncio.sleep(1)
            self._spoken.clear()
            self.catch_up.ahead.let_go(time.monotonic())

    # ---- the end

    def _leave(self, connection: Connection) -> None:
        if self.rooms.leave(connection) and self.held.session_writer is not None:
            self.held.session_writer.absent(connection.user)

    async def close_all(self, reason: str, within_s: float) -> None:
        """Send everybody away, spread over a while, so that not all come back at once; a few are gone sooner."""
        clients = list(self._clients)
        random.shuffle(clients)
        pause = min(within_s / max(len(clients), 1), SENT_AWAY_EVERY_S)
        began = time.monotonic()
        for number, connection in enumerate(clients, 1):
            connection.close(Close.RESTART, reason, retry_ms=random.randint(0, RETRY_MS))  # noqa: S311 - spreads load
            await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))


def make(
    settings: Settings,
    revocations: Revocations,
    stored: Collection,
    waiting: LoopCollection,
    receipt_sender: ReceiptSender,
    beyond: Beyond,
    held: HeldMailbox,
) -> Hub:
    rooms = Rooms(settings.connections_per_user)
    catch_up = CatchUp(waiting, held.caught_up, ReadScheduler(settings.replay_per_s))
    heartbeats = Heartbeats(held.caught_up)
    connector = Connector(revocations, stored, rooms, receipt_sender, catch_up, heartbeats, held, beyond)
    limits = ConnectionLimits(settings)
    return Hub(held, limits, connector, rooms, receipt_sender, catch_up, heartbeats, settings.frames_per_s)


_DELIVERED: Final = {lane: metrics.delivered.of(lane) for lane in Lane}
_OPS: Final = {frames.Read: Op.READ, frames.Unread: Op.UNREAD, frames.Archive: Op.ARCHIVED}
