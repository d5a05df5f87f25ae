"""From an open socket to a greeted client: token, resume, room, session, hello, then the store (D-session-first)."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec import UNSET

from clarion.contracts import limits, times
from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.frames import Hello, Resync
from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.resilience.retry import retry
from clarion.security.tokens import SUBSCRIBE, Claims, KeysUnavailable, TokenError
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.telemetry import metrics
from clarion.web.revocations import REVOKED, UNKNOWN, Revocations
from services.gateway.access.heartbeats import Heartbeats
from services.gateway.access.resume import Beyond, Trusted, take_over, trust
from services.gateway.client.connection import RETRY_MS, Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import ProtocolViolation
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.rooms import Rooms
from services.gateway.mailbox.connect_lookup import ConnectLookup
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.mailbox.session_writer import SessionRefused
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

STORE_WITHIN_S: Final = 2.0
RESUME_ACKS: Final = 10_000


@dataclass(slots=True)
class Connector:
    revocations: Revocations
    stored: Collection
    rooms: Rooms
    receipt_sender: ReceiptSender
    catch_up: CatchUp
    heartbeats: Heartbeats
    held: HeldMailbox
    beyond: Beyond

    async def admit(self, connection: Connection, token: str) -> None:
        claims = await self._verified(connection, self.revocations.verifier.verify(token))
        if claims is None or not connection.is_open:
            return
        connection.claims = claims
        connection.advance(ConnectionState.VERIFIED)
        resume = await self._trusted(connection, await _first_frame(connection))
        session_writer = self.held.session_writer
        if session_writer is None:  # the lease went meanwhile
            connection.close(Close.RESTART, "mailbox moved", retry_ms=RETRY_MS)
        if session_writer is None or not connection.is_open:
            return
        # in the room before the session is stored (D-room-first): what comes from now on is marked and read afterwards,
        # and what is said of its user, such as that a token is revoked, is said to it
        if not self.rooms.join(connection):
            connection.close(Close.LIMIT, f"at most {self.rooms.per_user} connections a user")
            return
        if self._is_revoked(connection):
            return
        cursors, is_short = take_over(connection.feed, resume.frame)
        connection.resync_owed |= is_short or resume.is_foreign
        asked = connection.feed.look_back()
        arriving = session_writer.present(connection.user, asked.since if asked else None)
        try:
            await self._greet(connection, arriving, resumed=bool(cursors))
            if resume.forget and connection.is_open:
                connection.send(Resync(resume.forget))
            arrival = await self._arrived(connection, arriving)
        except SessionRefused:
            connection.close(Close.INTERNAL, "your session cannot be stored", retry_ms=RETRY_MS)
            return
        if not connection.is_open:
            return
        connection.advance(ConnectionState.PRESENT)
        self.rooms.settle(connection)
        if asked is not None and arrival.pending is not None:
            connection.feed.nothing_pending(asked, arrival.pending, arrival.delivered)
        if resume.acknowledges and arrival.pending != frozenset():
            await self._acknowledge_resumed(connection, cursors)
        if not connection.feed.is_live:
            self.catch_up.want(connection)

    async def _arrived(self, connection: Connection, arriving: "asyncio.Future[ConnectLookup]") -> ConnectLookup:
        """Once the session is stored; whether its token is still good was asked after that: nothing falls between."""
        arrival = await asyncio.shield(arriving)
        if arrival.tokens_from is not None:
            self.revocations.note(connection.user, arrival.tokens_from)
        self._is_revoked(connection)
        return arrival

    def _is_revoked(self, connection: Connection) -> bool:
        """Whether it is known that its token was revoked; then it is closed."""
        is_revoked = connection.claims is not None and self.revocations.refuses(connection.claims)
        if is_revoked:
            connection.close(Close.TOKEN, REVOKED)
        return is_revoked

    async def resume_late(self, connection: Connection, frame: frames.Resume) -> None:
        """Over a slow network `resume` came after the client was taken for a fresh one.

        Its cursors may have gone past what other devices acknowledged while it was away: the inbox has that.
        """
        resume = await self._trusted(connection, frame)
        cursors, _ = take_over(connection.feed, resume.frame)
        if not connection.feed.fresh or resume.is_foreign:
            connection.send(Resync(resume.forget or UNSET))
        if resume.acknowledges:
            await self._acknowledge_resumed(connection, cursors)
        self.catch_up.want(connection)

    async def _trusted(self, connection: Connection, frame: frames.Resume) -> Trusted:
        """In most cases nothing is waited for."""
        resume = await trust(frame, connection.user, self.held.deployment, self.beyond)
        if resume.forget or resume.is_foreign:
            metrics.resumes_ignored.labels("foreign" if resume.is_foreign else "beyond").inc()
        return resume

    async def refresh(self, connection: Connection, token: str) -> None:
        """`auth`: a new token for the same user. While the key set is away the old one is still good."""
        claims = await self._verified(connection, self.revocations.verify(token))
        if claims is None:
            return
        if claims.subject != connection.user:
            connection.close(Close.FORBIDDEN, "the fresh token is for somebody else")
            return
        connection.claims = claims
        if connection.is_open:
            self.heartbeats.renew(connection)

    async def _verified(self, connection: Connection, verifying: Awaitable[Claims]) -> Claims | None:
        """Accepted first and closed then: a browser sees a refused upgrade as 1006."""
        try:
            claims = await verifying
        except TokenError as error:
            connection.close(Close.TOKEN, str(error))
        except KeysUnavailable as error:
            if connection.claims is None:
                connection.close(Close.TRY_AGAIN, str(error), retry_ms=RETRY_MS)
            else:
                connection.refuse("try_again", str(error))
        else:
            if claims.may(SUBSCRIBE):
                return claims
            connection.close(Close.FORBIDDEN, f"the token lacks the scope {SUBSCRIBE}")
        return None

    async def _greet(self, connection: Connection, arriving: "asyncio.Future[ConnectLookup]", *, resumed: bool) -> None:
        """Hello when the session is stored; without MongoDB the client is greeted too, as degraded, and waits on.

        Unless it cannot be told then whether its token was revoked: whoever was sent away must not hear what is urgent.
        """
        unread: int | None = None
        try:
            async with asyncio.timeout(STORE_WITHIN_S):
                await self._arrived(connection, arriving)
                unread = await notifications.unread(self.stored, connection.user)
        except (TimeoutError, *database.TRANSIENT):
            if connection.claims is not None and self.revocations.decides(connection.claims):
                log.warning("greeting without the store", session=connection.session)
            else:
                connection.close(Close.TRY_AGAIN, UNKNOWN, retry_ms=RETRY_MS)
        if not connection.is_open:
            return
        connection.advance(ConnectionState.GREETED)
        connection.send(
            Hello(
                session=connection.session,
                ping_s=limits.PING_S,
                window=limits.CREDIT_ITEMS,
                window_bytes=limits.CREDIT_BYTES,
                unread=unread,
                resumed=resumed,
                degraded=unread is None,
                since=times.rfc3339(connection.feed.since),
                user=connection.user,
                deployment=self.held.deployment or None,
            )
        )
        self.heartbeats.watch(connection)
        connection.resync_owed |= unread is None

    async def _acknowledge_resumed(self, connection: Connection, cursors: Mapping[Lane, int]) -> None:
        """What is pending at or below a client's cursors was handled: its acknowledgement was lost on the way."""
        if not cursors:
            return
        handled = await retry(
            lambda: notifications.pending_up_to(self.stored, connection.user, cursors, RESUME_ACKS),
            "mongodb",
            *database.TRANSIENT,
        )
        for start in range(0, len(handled), limits.IDS_PER_FRAME):
            self.receipt_sender.put(connection.receipt(Op.DELIVERED, handled[start : start + limits.IDS_PER_FRAME]))


def take_first(connection: Connection, frame: frames.ClientFrame) -> bool:
    """A frame before hello: True when it was the `resume` that is waited for. Raises ProtocolViolation."""
    if not isinstance(frame, frames.Resume):
        raise ProtocolViolation("the first frame is `resume`; wait for `hello` before any other")
    if connection.decided:
        return False
    _decide(connection, frame)
    return True


async def _first_frame(connection: Connection) -> frames.Resume:
    """The `resume` that has come, or comes soon; without one the client is taken for fresh."""
    loop = asyncio.get_running_loop()
    first = connection.first = connection.first or loop.create_future()
    late = loop.call_later(limits.RESUME_GRACE_S, _decide, connection, frames.Resume())
    try:
        return await first
    finally:
        late.cancel()
        connection.first = None


def _decide(connection: Connection, frame: frames.Resume) -> None:
    connection.decided = True
    if connection.first is None:  # it came before its token was verified
        connection.first = asyncio.get_running_loop().create_future()
    if not connection.first.done():
        connection.first.set_result(frame)
