"""One client: who it is, its feed, and a way to write to its socket. The socket itself is in `transport`."""

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
RETRY_MS: Final = 2_000  # the hint for when to come back, at most


class Transport(Protocol):
    """`write` sends a text frame, `shut` starts the close handshake, `abort` ends it; none does anything twice."""

    def write(self, text: bytes) -> None: ...
    def shut(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


@dataclass(eq=False, slots=True)
class Connection:
    """`ConnectionLimits` counts it for `address`. Small when idle: what only an arrival needs is dropped then."""

    transport: Transport
    feed: Feed
    address: str = ""
    session: str = field(default_factory=new_id)
    by_post: bool = False  # what its client says comes by POST, perhaps through Kafka
    claims: Claims | None = None
    state: ConnectionState = ConnectionState.OPENED
    heard: bool = False  # a frame has come
    beat_at: float = math.inf  # when a ping is due
    pong_due: bool = False
    resync_owed: bool = False
    decided: bool = False  # resumed, or taken for fresh
    first: "asyncio.Future[Resume] | None" = None  # while `resume` is waited for

    @property
    def user(self) -> str:
        assert self.claims is not None
        return self.claims.subject

    @property
    def is_open(self) -> bool:
        return self.state < _CLOSING

    def advance(self, to: ConnectionState) -> None:
        """Go to the next state. Raises `UnexpectedState` when that is not `to`."""
        self.state = advanced(self.state, to)

    def receipt(self, op: Op, ids: Sequence[str], *, unstored: bool = False) -> Receipt:
        return Receipt(self.user, op, list(ids), times.now(), self.session, unstored)

    def send(self, frame: ServerFrame) -> None:
        self.transport.write(frames.encode(frame))

    def send_items(self, items: Sequence[OutgoingItem], caught_up: datetime | None) -> None:
        """Write items as batch frames and note them in the feed."""
        for run in split(items):
            self.transport.write(batch_frame(self.feed.send(run), join(run), self.feed.advance_since(caught_up)))

    def refuse(self, code: str, detail: str) -> None:
        """Say that something asked for was not done. Whoever asks and reads no answers must not gather them here."""
        if self.feed.paused:
            self.close(Close.TRY_AGAIN, detail, retry_ms=RETRY_MS)
        else:
            self.send(frames.Error(code, detail))

    def close(self, code: Close, reason: str, retry_ms: int | None = None) -> None:
        """Say why and close. `retry_ms` is a hint for when to come back."""
        if self.state >= _CLOSING:
            return
        if retry_ms is not None:
            self.send(frames.Bye(reason, retry_ms))
        elif code >= Close.PROTOCOL:
            self.send(frames.Error(code.name.lower(), reason))
        self.advance(_CLOSING)
        self.transport.shut(code, reason)
