"""Handles what clients do: connect, send frames, acknowledge, leave. `router.py` routes what the mailbox brings."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
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
from services.gateway.client.inbound import Inbound
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.read_scheduler import ReadScheduler
from services.gateway.delivery.rooms import Rooms
from services.gateway.delivery.sampled import SampledDeliveries
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

GREETED: Final = ConnectionState.GREETED
CLOSING: Final = ConnectionState.CLOSING


@dataclass(slots=True)
class Hub:
    """Keeps the connections of this gateway, and handles what transports tell of them (see `base.ConnectionHandler`).

    Clients are refused while the gateway holds no mailbox (`held` is empty), and while it is draining.
    """

    held: HeldMailbox
    connection_limits: ConnectionLimits
    connector: Connector
    rooms: Rooms
    receipt_sender: ReceiptSender
    catch_up: CatchUp
    heartbeats: Heartbeats
    frames_per_s: int
    inbound: Inbound = field(default_factory=Inbound)
    draining: bool = False
    sampled: SampledDeliveries = field(default_factory=SampledDeliveries)
    _clients: set[Connection] = field(default_factory=set[Connection])
    _streams: dict[str, Connection] = field(default_factory=dict[str, Connection])  # by session
    _spoken: Counter[Connection] = field(default_factory=Counter[Connection])  # limited frames of this second
    _working: dict[Connection, set["asyncio.Task[None]"]] = field(
        default_factory=dict[Connection, set["asyncio.Task[None]"]]
    )

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Connection]:
        """Return the connections of now; any thread may ask."""
        return iter(list(self._clients))

    # ---- sockets and event streams (see `base.ConnectionHandler`)

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        """Return why a client at `address` may not connect now, or None.

        When it returns None, the upgrade is counted against the rates.
        """
        if self.draining or self.held.reader is None:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "this gateway is not ready: try again shortly", SOON_S)
        return self.connection_limits.refusal(address, shows_token=shows_token)

    def on_open(self, transport: Transport, address: str) -> Connection:
        """Count a client whose transport is open, and return its connection."""
        now = times.now()
        self.connection_limits.enter(address)
        connection = Connection(transport, Feed(opened=now, since=now), address)
        self._clients.add(connection)
        return connection

    def on_stream_open(self, transport: Transport, address: str) -> Connection:
        """Count a client of an event stream, and return its connection.

        The client only receives here: it sends by POST, to any gateway. The session therefore names this gateway's
        mailbox and epoch, so that another gateway can forward what it gets.
        """
        assert self.held.reader is not None  # else `refusal` has refused the client
        lease = self.held.reader.lease
        connection = self.on_open(transport, address)
        connection.by_post = True
        connection.session = streams.new_session(lease.mailbox, lease.epoch)
        self._streams[connection.session] = connection
        metrics.streams.set(len(self._streams))
        return connection

    def on_token(self, connection: Connection, token: str) -> None:
        """Start to verify the token and to greet the client."""
        self._start(connection, self.connector.admit(connection, token))

    def on_message(self, connection: Connection, text: bytes) -> None:
        """Handle a message; close the connection with 4400 when it breaks the protocol."""
        try:
            self._answer(connection, frames.decode_client(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ProtocolViolation) as error:
            connection.close(Close.PROTOCOL, str(error)[:100])

    def on_writable(self, connection: Connection, is_writable: bool) -> None:
        """Note whether the client takes more.

        Once it does again, send the `resync` that it is owed, and have it catch up.
        """
        connection.feed.paused = not is_writable
        if is_writable:
            self.rooms.settle(connection)
            self._feed_again(connection)

    def on_control_frame(self, connection: Connection) -> None:
        """Count a frame that is not a whole message, such as a ping or a fragment, against the limit of frames."""
        self._count(connection)

    def on_closing(self, connection: Connection, code: int | None) -> None:
        """Take a connection out of its room once its last frame is sent or received.

        `code` is the close code that this gateway sent, and None when the client closed first. The client then has
        `CLOSE_WITHIN_S` of `heartbeats.py` to end the connection.
        """
        if code is not None:
            metrics.closed.labels(str(code)).inc()
        if connection.is_open:  # else `Connection.close` has changed the state already
            connection.advance(ConnectionState.CLOSING)
        self._leave(connection)
        self.heartbeats.closing(connection)

    def on_closed(self, connection: Connection) -> None:
        """Forget a connection whose socket is gone, and cancel its tasks."""
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

    # ---- frames

    def on_posted_ack(self, user: str, session: str, tag: int) -> bool:
        """Handle an acknowledgement by POST, which may have come to another gateway and been forwarded.

        Returns False when `user` has no such event stream here.
        """
        connection = self._streams.get(session)
        if connection is None or not GREETED <= connection.state < CLOSING or connection.user != user:
            return False
        try:
            self._answer(connection, frames.Ack(tag) if tag else frames.Pong())
        except ProtocolViolation as violation:
            connection.close(Close.PROTOCOL, str(violation))
        return True

    def _answer(self, connection: Connection, frame: frames.ClientFrame) -> None:
        """Do what a frame asks for. Raises ProtocolViolation when the client may not send it now."""
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
                    raise ProtocolViolation("`resume` must be the first frame")
                self._start(connection, self.connector.resume_late(connection, frame))
                return
            case frames.Read() | frames.Unread() | frames.Archive():
                op = _OPS[type(frame)]
                if not self.receipt_sender.put(connection.receipt(op, frame.ids)):
                    connection.refuse("busy", f"the gateway is busy and did not accept `{op}`: send it again later")
            case frames.Auth():
                self._start(connection, self.connector.refresh(connection, frame.token))
            case frames.Pong():
                if was_pong_due or connection.by_post:  # POSTs have a limit of their own, in `SseAcks`
                    return
        self._count(connection)

    def _count(self, connection: Connection) -> None:
        """Count a frame; close the connection with 4429 when there are too many in a second.

        Acknowledgements of what was sent and answers to pings are not counted.
        """
        self._spoken[connection] += 1
        if self._spoken[connection] > self.frames_per_s and connection.is_open:
            metrics.rate_limited.labels("frames_per_s").inc()
            connection.close(Close.LIMIT, f"a client may send at most {self.frames_per_s} frames a second")

    def _acknowledge(self, connection: Connection, handled: Sequence[OutgoingItem]) -> None:
        """Make receipts for items that a client has handled, and send more with the credit that returned."""
        stored: list[str] = []
        early: list[str] = []
        if self.sampled.waiting:
            handled = self.sampled.acknowledge(connection, handled, self.receipt_sender)
        for item in handled:
            _DELIVERED[item.lane].n += 1
            (stored if item.stored else early).append(item.id)
        if stored:
            self.receipt_sender.delivered(connection, stored)
        if early:
            self.receipt_sender.delivered(connection, early, unstored=True)
        self._feed_again(connection)

    def _feed_again(self, connection: Connection) -> None:
        """Have a connection catch up, unless every lane is live."""
        if not connection.feed.is_live:
            self.catch_up.want(connection)

    def _start(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Start a short task for one connection; it is cancelled when the connection's socket is gone.

        Each such task is short, so an idle connection has none, and costs no memory for one.
        """
        task = asyncio.create_task(work)
        self._working.setdefault(connection, set()).add(task)
        task.add_done_callback(partial(self._done, connection))

    def _done(self, connection: Connection, task: "asyncio.Task[None]") -> None:
        """Forget a task that has ended, and close its connection when the task failed."""
        tasks = self._working[connection]
        tasks.discard(task)
        if not tasks:
            del self._working[connection]
        if not task.cancelled() and (error := task.exception()):
            log.error("a connection's task failed: please report it", exc_info=error, session=connection.session)
            connection.close(Close.INTERNAL, "the gateway failed: connect again", retry_ms=RETRY_MS)

    async def each_second(self) -> None:
        """Each second, begin counting frames anew and drop what was read ahead for too long, until cancelled."""
        while True:
            await asyncio.sleep(1)
            self._spoken.clear()
            self.catch_up.ahead.let_go(time.monotonic())

    # ---- the end

    def _leave(self, connection: Connection) -> None:
        """Take a connection out of its room; note that its user is gone when it was the user's last one here."""
        if self.rooms.leave(connection) and self.held.session_writer is not None:
            self.held.session_writer.absent(connection.user)


def make(
    settings: Settings,
    revocations: Revocations,
    stored: Collection,
    waiting: LoopCollection,
    receipt_sender: ReceiptSender,
    beyond: Beyond,
    held: HeldMailbox,
) -> Hub:
    """Make the hub and the parts that it drives."""
    rooms = Rooms(settings.connections_per_user)
    catch_up = CatchUp(waiting, held.caught_up, ReadScheduler(settings.replay_per_s))
    heartbeats = Heartbeats(held.caught_up)
    connector = Connector(revocations, stored, rooms, receipt_sender, catch_up, heartbeats, held, beyond)
    limits = ConnectionLimits(settings)
    return Hub(held, limits, connector, rooms, receipt_sender, catch_up, heartbeats, settings.frames_per_s)


_DELIVERED: Final = {lane: metrics.delivered.of(lane) for lane in Lane}
_OPS: Final = {frames.Read: Op.READ, frames.Unread: Op.UNREAD, frames.Archive: Op.ARCHIVED}
