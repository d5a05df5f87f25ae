"""The gateway's own logic: admits clients, answers their frames, delivers what the mailbox brings."""

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog

from clarion.contracts import frames, limits, order, times
from clarion.contracts.close_codes import Close
from clarion.contracts.deliveries import Delivery, Items, Sync
from clarion.contracts.frames import Hello, Ping, ServerSync
from clarion.contracts.lanes import Lane
from clarion.contracts.receipts import Op, Receipt
from clarion.resilience.backoff import retry
from clarion.security.tokens import SUBSCRIBE, KeysUnavailable, TokenError, Verifier
from clarion.store import database, notifications
from clarion.store.database import Collection
from clarion.telemetry import metrics
from services.gateway.catchup import CatchUp
from services.gateway.connection import Connection
from services.gateway.feed import Feed, Offered, ProtocolViolation
from services.gateway.mailbox import Mailbox
from services.gateway.outbox import Outbox
from services.gateway.presence import Presence
from services.gateway.protocol import Socket
from services.gateway.rooms import Rooms
from services.gateway.wheel import Wheel

log = structlog.get_logger()

CONNECTIONS: Final = 18_000
CLOSE_WITHIN_S: Final = 10.0
STORE_WITHIN_S: Final = 2.0
FRAMES_PER_S: Final = 50
OLDEST_SINCE: Final = timedelta(days=1)
RESUME_ACKS: Final = 10_000
DRAIN_S: Final = 5.0
RESTART_RETRY_MS: Final = 2_000


@dataclass(slots=True)
class Gateway:
    verifier: Verifier
    stored: Collection
    outbox: Outbox
    catch_up: CatchUp
    rooms: Rooms = field(default_factory=Rooms)
    mailbox: Mailbox | None = None
    presence: Presence | None = None
    draining: bool = False
    _clients: dict[Socket, Connection] = field(default_factory=dict[Socket, Connection])
    _first: dict[Connection, "asyncio.Future[frames.Resume]"] = field(
        default_factory=dict[Connection, "asyncio.Future[frames.Resume]"]
    )
    _pings: Wheel[Socket] = field(default_factory=Wheel[Socket])
    _expiries: Wheel[Socket] = field(default_factory=Wheel[Socket])
    _closings: Wheel[Socket] = field(default_factory=Wheel[Socket])
    _spoken: dict[Connection, int] = field(default_factory=dict[Connection, int])  # frames in this second

    def __len__(self) -> int:
        return len(self._clients)

    # ---- sockets (see protocol.Client)

    def refusal(self) -> tuple[int, str] | None:
        if self.draining or self.mailbox is None or self.presence is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, "not ready, come back shortly\n"
        if len(self._clients) >= CONNECTIONS:
            return HTTPStatus.SERVICE_UNAVAILABLE, "this gateway is full\n"
        return None

    def opened(self, socket: Socket, token: str) -> None:
        now = times.now()
        connection = Connection(socket.write, socket.shut, Feed(opened=now, since=now))
        self._clients[socket] = connection
        self._first[connection] = asyncio.get_running_loop().create_future()
        metrics.connections.labels("open").set(len(self._clients))
        self._start(connection, self._admit(socket, connection, token))

    def received(self, socket: Socket, text: bytes) -> None:
        connection = self._clients[socket]
        try:
            frame = frames.decode_client(text)
            self._answer(socket, connection, frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ProtocolViolation) as error:
            connection.close(Close.PROTOCOL, str(error)[:100])

    def writable(self, socket: Socket, is_writable: bool) -> None:
        connection = self._clients[socket]
        connection.feed.paused = not is_writable
        if is_writable:
            self.rooms.settle(connection)
            self._feed_again(connection)

    def closing(self, socket: Socket, code: int) -> None:
        """A close frame went out: the other side has a while to answer it."""
        metrics.closed.labels(str(code)).inc()
        connection = self._clients[socket]
        connection.open = False
        self._leave(connection)
        self._closings.put(socket, time.monotonic() + CLOSE_WITHIN_S)

    def closed(self, socket: Socket) -> None:
        connection = self._clients.pop(socket)
        connection.open = False
        for wheel in (self._pings, self._expiries, self._closings):
            wheel.discard(socket)
        first = self._first.pop(connection, None)
        if first is not None:
            first.cancel()
        self._spoken.pop(connection, None)
        for task in connection.tasks:
            task.cancel()
        self._leave(connection)
        metrics.connections.labels("open").set(len(self._clients))

    # ---- admission

    async def _admit(self, socket: Socket, connection: Connection, token: str) -> None:
        try:
            claims = await self.verifier.verify(token)
        except TokenError as error:
            connection.close(Close.TOKEN, str(error))
            return
        except KeysUnavailable as error:
            connection.close(Close.TRY_AGAIN, str(error), retry_ms=RESTART_RETRY_MS)
            return
        if not claims.may(SUBSCRIBE):
            connection.close(Close.FORBIDDEN, f"the token lacks the scope {SUBSCRIBE}")
            return
        connection.claims = claims
        resume = await self._first_frame(connection)
        if not connection.open:
            return
        # in the room before the session is stored: what comes from now on is marked and read afterwards
        if not self.rooms.join(connection):
            connection.close(Close.LIMIT, f"at most {limits.CONNECTIONS_PER_USER} connections a user")
            return
        cursors = _take_over(connection.feed, resume)
        await self._greet(socket, connection, cursors)

    async def _first_frame(self, connection: Connection) -> frames.Resume:
        first = self._first[connection]
        try:
            async with asyncio.timeout(limits.RESUME_GRACE_S):
                return await first
        except TimeoutError:
            return frames.Resume()

    async def _greet(self, socket: Socket, connection: Connection, cursors: Mapping[Lane, int]) -> None:
        """Session first, then the store is read [M]. Without MongoDB the client is greeted too, as degraded."""
        assert self.presence is not None
        session = self.presence.present(connection.user)
        unread: int | None = None
        try:
            async with asyncio.timeout(STORE_WITHIN_S):
                await asyncio.shield(session)
                unread = await notifications.unread(self.stored, connection.user)
        except (TimeoutError, *database.TRANSIENT):
            log.warning("greeting without the store", session=connection.session)
        if not connection.joined:
            return
        connection.send(
            Hello(
                session=connection.session,
                ping_s=limits.PING_S,
                window=limits.CREDIT_ITEMS,
                window_bytes=limits.CREDIT_BYTES,
                unread=unread,
                resumed=bool(cursors),
                degraded=unread is None,
            )
        )
        now = time.monotonic()
        assert connection.claims is not None
        self._first.pop(connection, None)
        self._pings.put(socket, now + random.uniform(limits.PING_S / 2, limits.PING_S))  # noqa: S311 - spreads load
        self._expiries.put(socket, now + connection.claims.expires - time.time())
        await asyncio.shield(session)
        connection.present = True
        if cursors:
            await self._acknowledge_resumed(connection, cursors)
        self.catch_up.want(connection)

    async def _acknowledge_resumed(self, connection: Connection, cursors: Mapping[Lane, int]) -> None:
        """What is pending at or below a client's cursors was handled: its acknowledgement was lost on the way."""
        handled = await retry(
            lambda: notifications.pending_up_to(self.stored, connection.user, cursors, RESUME_ACKS),
            "mongodb",
            *database.TRANSIENT,
        )
        for start in range(0, len(handled), limits.IDS_PER_FRAME):
            self._receipt(connection, Op.DELIVERED, handled[start : start + limits.IDS_PER_FRAME])

    def _start(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Something short for one connection, which ends with it. None lasts: what is idle has no task."""
        task = asyncio.create_task(work)
        connection.tasks.add(task)
        task.add_done_callback(partial(self._done, connection))

    def _done(self, connection: Connection, task: "asyncio.Task[None]") -> None:
        connection.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a connection's task failed", exc_info=error, session=connection.session)
            connection.close(Close.INTERNAL, "internal error")

    # ---- frames

    def _answer(self, socket: Socket, connection: Connection, frame: frames.ClientFrame) -> None:
        connection.pong_due = False
        is_first, connection.heard = not connection.heard, True
        if isinstance(frame, frames.Resume):
            if not is_first:
                raise ProtocolViolation("resume comes first")
            self._resume(connection, frame)
            return
        if connection in self._first:
            raise ProtocolViolation("say resume, or wait for hello")
        match frame:
            case frames.Ack():
                handled = connection.feed.ack(frame.tag)
                if handled:
                    self._acknowledge(connection, handled)
                    return
            case frames.Read() | frames.Unread() | frames.Archive():
                op = _OPS[type(frame)]
                if not self._receipt(connection, op, frame.ids):
                    connection.send(frames.Error("busy", f"{op} was not taken, try again later"))
            case frames.Auth():
                self._start(connection, self._refresh(socket, connection, frame.token))
            case frames.Pong():
                return
        self._count(connection)

    def _resume(self, connection: Connection, frame: frames.Resume) -> None:
        """Take a client's cursors: before it is greeted, or late, over a slow network, when it was taken for fresh."""
        first = self._first.get(connection)
        if first is not None and not first.done():
            first.set_result(frame)
            return
        cursors = _take_over(connection.feed, frame)
        self._start(connection, self._resume_late(connection, cursors))

    async def _resume_late(self, connection: Connection, cursors: Mapping[Lane, int]) -> None:
        if cursors:
            await self._acknowledge_resumed(connection, cursors)
        self.catch_up.want(connection)

    def _count(self, connection: Connection) -> None:
        """Acknowledgements of what was sent and pongs are free; the rest is limited."""
        spoken = self._spoken[connection] = self._spoken.get(connection, 0) + 1
        if spoken > FRAMES_PER_S:
            connection.close(Close.LIMIT, f"at most {FRAMES_PER_S} frames a second")

    def _acknowledge(self, connection: Connection, handled: Sequence[Offered]) -> None:
        for item in handled:
            metrics.delivered.labels(item.lane).inc()
        self._receipt(connection, Op.DELIVERED, [item.id for item in handled])
        self._feed_again(connection)

    def _receipt(self, connection: Connection, op: Op, ids: Sequence[str]) -> bool:
        return self.outbox.put(Receipt(connection.user, op, list(ids), times.now(), connection.session))

    def _feed_again(self, connection: Connection) -> None:
        if connection.joined and not connection.feed.is_live():
            self.catch_up.want(connection)

    async def _refresh(self, socket: Socket, connection: Connection, token: str) -> None:
        try:
            claims = await self.verifier.verify(token)
        except TokenError as error:
            connection.close(Close.TOKEN, str(error))
            return
        except KeysUnavailable as error:
            connection.send(frames.Error("try_again", str(error)))  # the token it has is still good
            return
        if claims.subject != connection.user or not claims.may(SUBSCRIBE):
            connection.close(Close.FORBIDDEN, "the fresh token is for somebody else, or lacks the scope")
            return
        connection.claims = claims
        if connection.open:
            self._expiries.put(socket, time.monotonic() + claims.expires - time.time())

    # ---- deliveries

    def deliver(self, records: Sequence[Delivery]) -> None:
        """What the mailbox brings, in order."""
        caught_up = self.caught_up()
        now_ms = time.time() * 1000
        for record in records:
            match record:
                case Items():
                    pairs = [
                        (a.recipient, Offered(a.id, a.lane, order.pack(*a.ord), bytes(a.body))) for a in record.items
                    ]
                    for behind in self.rooms.push(pairs, caught_up):
                        self.catch_up.want(behind)
                    for _, item in pairs:
                        _observe_latency(item, now_ms)
                case Sync():
                    self.rooms.sync(record.recipient, ServerSync(record.op, record.ids, record.unread))
                case _:
                    pass  # a fence is the mailbox's business

    def caught_up(self) -> datetime | None:
        return self.mailbox.caught_up() if self.mailbox else None

    def behind(self) -> None:
        """Records may have been missed: every connection reads the store."""
        for connection in list(self.rooms):
            connection.feed.fall_behind()
            self.catch_up.want(connection)

    # ---- time

    async def tick(self) -> None:
        """Heartbeats, token expiry and close deadlines of all connections, once a second."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            self._spoken.clear()
            for socket in self._pings.turn(now):
                self._ping(socket, now)
            for socket in self._expiries.turn(now):
                self._clients[socket].close(Close.TOKEN, "token expired")
            for socket in self._closings.turn(now):
                socket.abort()

    def _ping(self, socket: Socket, now: float) -> None:
        connection = self._clients[socket]
        if not connection.open:
            return
        if not connection.pinged:
            connection.pinged = connection.pong_due = True
            since = connection.feed.advance_since(self.caught_up())
            connection.send(Ping(times.rfc3339(since)))
            self._pings.put(socket, now + limits.PONG_S)
        elif connection.pong_due:
            connection.close(Close.NO_PONG, f"no answer to a ping within {limits.PONG_S:g} s")
        else:
            connection.pinged = False
            self._pings.put(socket, now + limits.PING_S - limits.PONG_S)

    # ---- the end

    def _leave(self, connection: Connection) -> None:
        if connection.joined and self.rooms.leave(connection) and self.presence is not None:
            self.presence.absent(connection.user)

    async def close_all(self, reason: str, within_s: float) -> None:
        """Send everybody away, spread over a while, so that not all come back at once."""
        clients = list(self._clients.values())
        random.shuffle(clients)
        pause = within_s / max(len(clients), 1)
        began = time.monotonic()
        for number, connection in enumerate(clients, 1):
            connection.close(Close.RESTART, reason, retry_ms=random.randint(0, RESTART_RETRY_MS))  # noqa: S311
            await asyncio.sleep(max(0.0, began + min(number * pause, number * 0.05) - time.monotonic()))


_OPS: Final = {frames.Read: Op.READ, frames.Unread: Op.UNREAD, frames.Archive: Op.ARCHIVED}


def _take_over(feed: Feed, frame: frames.Resume) -> dict[Lane, int]:
    """Take over a client's cursors and `since`; raise nothing for a `since` that cannot be read: it is then fresh."""
    cursors = {lane: order.pack(*ord_) for lane, ord_ in frame.cursors.items()}
    since: datetime | None = None
    if frame.since:
        try:
            since = datetime.fromisoformat(frame.since).astimezone(UTC)
        except (ValueError, OverflowError):
            log.info("resume without a readable since")
    feed.resume(cursors, max(since, feed.opened - OLDEST_SINCE) if since else None)
    return cursors


def _observe_latency(item: Offered, now_ms: float) -> None:
    """From publishing to the frame, when the id tells when it was made (UUIDv7 begins with milliseconds)."""
    if item.id[14:15] == "7":
        made_ms = int(item.id[:8] + item.id[9:13], 16)
        metrics.delivery_seconds.labels(item.lane).observe(max(0.0, now_ms - made_ms) / 1000)
