"""Takes a client from its token to `hello`: token, resume, room, session, hello, then the store (D-session-first)."""

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
from services.gateway.client.connection import MAILBOX_LOST, RETRY_MS, Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import ProtocolViolation
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.rooms import Rooms
from services.gateway.mailbox.connect_lookup import ConnectLookup
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.mailbox.session_writer import SessionRefused
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

STORE_WITHIN_S: Final = 2.0  # for the session and the unread count; then a client is greeted without them
RESUME_ACKS: Final = 10_000  # notifications that one `resume` acknowledges, at most


@dataclass(slots=True)
class Connector:
    """Takes clients from their token to `hello`. `beyond` says which cursors are above the ends of lanes."""

    revocations: Revocations
    stored: Collection
    rooms: Rooms
    receipt_sender: ReceiptSender
    catch_up: CatchUp
    heartbeats: Heartbeats
    held: HeldMailbox
    beyond: Beyond

    async def admit(self, connection: Connection, token: str) -> None:
        """Verify the token, take over what the client resumes, store its session, greet it, and have it catch up.

        A client that cannot be admitted is closed with the code that says why.
        """
        claims = await self._verified(connection, self.revocations.verifier.verify(token))
        if claims is None or not connection.is_open:
            return
        connection.claims = claims
        connection.advance(ConnectionState.VERIFIED)
        resume = await self._trusted(connection, await _first_frame(connection))
        session_writer = self.held.session_writer
        if session_writer is None:  # the lease was lost meanwhile
            connection.close(Close.RESTART, MAILBOX_LOST, retry_ms=RETRY_MS)
        if session_writer is None or not connection.is_open:
            return
        # The connection is in the room before its session is stored (D-room-first): what comes from now on is marked
        # and read afterwards, and what this gateway is told of the user, such as a revoked token, reaches its
        # connection.
        if not self.rooms.join(connection):
            metrics.rate_limited.labels("connections_per_user").inc()
            connection.close(Close.LIMIT, f"a user may have at most {self.rooms.per_user} connections: close one first")
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
            connection.close(Close.INTERNAL, "this user's session cannot be stored", retry_ms=RETRY_MS)
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
        """Return what the connect lookup found, once the session is stored; close if the token is revoked.

        The lookup asks for revocations after the session is stored. An earlier one is found then, and a later one
        reaches this gateway, where the connection is in its room: none falls between.
        """
        arrival = await asyncio.shield(arriving)
        if arrival.tokens_from is not None:
            self.revocations.note(connection.user, arrival.tokens_from)
        self._is_revoked(connection)
        return arrival

    def _is_revoked(self, connection: Connection) -> bool:
        """Close the connection if its token is known to be revoked; return whether it is."""
        is_revoked = connection.claims is not None and self.revocations.refuses(connection.claims)
        if is_revoked:
            connection.close(Close.TOKEN, REVOKED)
        return is_revoked

    async def resume_late(self, connection: Connection, frame: frames.Resume) -> None:
        """Take over a `resume` that came after its client was taken for a fresh one, as happens over a slow network.

        The connection's cursors may have passed what other devices acknowledged while the client was away. The client
        is told to read its inbox, which has that.
        """
        resume = await self._trusted(connection, frame)
        cursors, _ = take_over(connection.feed, resume.frame)
        if not connection.feed.fresh or resume.is_foreign:
            connection.send(Resync(resume.forget or UNSET))
        if resume.acknowledges:
            await self._acknowledge_resumed(connection, cursors)
        self.catch_up.want(connection)

    async def _trusted(self, connection: Connection, frame: frames.Resume) -> Trusted:
        """Return what counts of a `resume`; mostly that is known without asking Kafka."""
        resume = await trust(frame, connection.user, self.held.deployment, self.beyond)
        if resume.forget or resume.is_foreign:
            metrics.resumes_ignored.labels("foreign" if resume.is_foreign else "beyond").inc()
        return resume

    async def refresh(self, connection: Connection, token: str) -> None:
        """Take a new token for the same user (frame `auth`).

        While it cannot be verified, because the key set or MongoDB is away, the old token stays good until it expires.
        """
        claims = await self._verified(connection, self.revocations.verify(token))
        if claims is None:
            return
        if claims.subject != connection.user:
            connection.close(Close.FORBIDDEN, "the new token is for another user")
            return
        connection.claims = claims
        if connection.is_open:
            self.heartbeats.renew(connection)

    async def _verified(self, connection: Connection, verifying: Awaitable[Claims]) -> Claims | None:
        """Return the token's claims. None when the token is not good: then the connection is closed.

        The upgrade is accepted before the token is verified, since a browser sees a refused upgrade as 1006.
        """
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
        """Send `hello` once the session is stored. Without MongoDB, send it after STORE_WITHIN_S, as `degraded`.

        A client is closed instead while nobody can tell whether its token was revoked: a user whom an operator has
        disconnected must not get what is urgent.
        """
        unread: int | None = None
        try:
            async with asyncio.timeout(STORE_WITHIN_S):
                await self._arrived(connection, arriving)
                unread = await notifications.unread(self.stored, connection.user)
        except (TimeoutError, *database.TRANSIENT):
            if connection.claims is not None and self.revocations.decides(connection.claims):
                log.warning(
                    "a client is greeted as degraded, because MongoDB does not answer", session=connection.session
                )
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
        """Make receipts for what is pending at or below the client's cursors.

        The client has handled that, and its acknowledgement was lost on the way.
        """
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
    """Take a frame that came before `hello`; return whether it is the `resume` that is awaited.

    Returns False for a `resume` of a client that was taken for a fresh one already. Raises ProtocolViolation for any
    other frame.
    """
    if not isinstance(frame, frames.Resume):
        raise ProtocolViolation("only `resume` may come before `hello`: wait for `hello` before any other frame")
    if connection.decided:
        return False
    _decide(connection, frame)
    return True


async def _first_frame(connection: Connection) -> frames.Resume:
    """Return the `resume` that has come, or comes within RESUME_GRACE_S; else an empty one.

    Without one the client is taken for a fresh one.
    """
    loop = asyncio.get_running_loop()
    first = connection.first = connection.first or loop.create_future()
    late = loop.call_later(limits.RESUME_GRACE_S, _wait_no_longer, connection)
    try:
        return await first
    finally:
        late.cancel()
        connection.first = None


def _wait_no_longer(connection: Connection) -> None:
    """Take the client for a fresh one, unless its `resume` is there and a busy gateway has not handled it yet."""
    connection.transport.handle_waiting()
    if not connection.decided:
        _decide(connection, frames.Resume())


def _decide(connection: Connection, frame: frames.Resume) -> None:
    """Settle that the client resumes by `frame`, which is empty for a fresh client."""
    connection.decided = True
    if connection.first is None:  # `resume` came before the token was verified
        connection.first = asyncio.get_running_loop().create_future()
    if not connection.first.done():
        connection.first.set_result(frame)
