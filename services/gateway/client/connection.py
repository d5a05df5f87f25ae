"""Holds one client: its user, its state, its feed, and the interface through which it is written to."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from clarion.contracts import times
from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.frames import Resume, ServerFrame
from clarion.contracts.ids import new_id
from clarion.contracts.records.receipts import Op, Receipt
from clarion.security.tokens import Claims
from services.gateway.client.batch_frames import batch_frame, join, split
from services.gateway.client.connection_state import ConnectionState, advanced
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed

_CLOSING: Final = ConnectionState.CLOSING
RETRY_MS: Final = 2_000  # the longest hint for when to come back
STOPPING: Final = "this gateway stops: connect again"
MAILBOX_LOST: Final = "another gateway has taken over this mailbox: connect again"


class Transport(Protocol):
    """Carries a connection's bytes.

    A method that is called too late, on a connection that is closing or gone, does nothing.
    """

    def write(self, text: bytes) -> None:
        """Send a text frame."""
        ...

    def shut(self, code: int, reason: str) -> None:
        """Send the last frame, with the close code and its reason; then the connection ends in order."""
        ...

    def abort(self) -> None:
        """End the connection at once; what is not sent yet is dropped."""
        ...

    def handle_waiting(self) -> None:
        """Handle what the client has sent and a busy gateway has not handled yet."""
        ...


@dataclass(eq=False, slots=True)
class Connection:
    """One client at this gateway. `ConnectionLimits` counts it for its network address, `address`.

    Idle connections are many and must stay small: what only connecting needs (`first`) is dropped afterwards.
    """

    transport: Transport
    feed: Feed
    address: str = ""
    session: str = field(default_factory=new_id)
    by_post: bool = False  # its client sends by POST, perhaps through another gateway and Kafka
    claims: Claims | None = None
    state: ConnectionState = ConnectionState.OPENED
    heard: bool = False  # whether a frame has come
    beat_at: float = math.inf  # when a ping is due, in monotonic seconds
    pong_due: bool = False  # pinged, and not answered yet
    resync_owed: bool = False  # a `resync` is to be sent once the client can take it
    decided: bool = False  # whether it resumes, or is taken for a fresh client
    first: "asyncio.Future[Resume] | None" = None  # set while `resume` is awaited

    @property
    def user(self) -> str:
        """The user that the verified token names."""
        assert self.claims is not None
        return self.claims.subject

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close the connection."""
        return self.state < _CLOSING

    def advance(self, to: ConnectionState) -> None:
        """Go to the next state. Raises `UnexpectedState` when `to` may not follow."""
        self.state = advanced(self.state, to)

    def receipt(self, op: Op, ids: Sequence[str], *, unstored: bool = False, traceparent: str | None = None) -> Receipt:
        """Return a receipt of this connection's user for `ids`, with the current time."""
        return Receipt(self.user, op, list(ids), times.now(), self.session, unstored, traceparent=traceparent)

    def send(self, frame: ServerFrame) -> None:
        """Write one frame."""
        self.transport.write(frames.encode(frame))

    def send_items(self, items: Sequence[OutgoingItem], caught_up: datetime | None) -> None:
        """Write items as `batch` frames, and note them in the feed."""
        for run in split(items):
            self.transport.write(batch_frame(self.feed.send(run), join(run), self.feed.advance_since(caught_up)))

    def refuse(self, code: str, detail: str) -> None:
        """Tell the client that something it asked for was not done.

        A client that asks and reads no answers is closed, so that answers do not gather here.
        """
        if self.feed.paused:
            self.close(Close.TRY_AGAIN, detail, retry_ms=RETRY_MS)
        else:
            self.send(frames.Error(code, detail))

    def close(self, code: Close, reason: str, retry_ms: int | None = None) -> None:
        """Say why and close; a connection that is closing already stays as it is.

        `retry_ms` is a hint for when to come back, in milliseconds.
        """
        if not self.is_open:
            return
        if retry_ms is not None:
            self.send(frames.Bye(reason, retry_ms))
        elif code >= Close.PROTOCOL:
            self.send(frames.Error(code.name.lower(), reason))
        self.advance(_CLOSING)
        self.transport.shut(code, reason)
