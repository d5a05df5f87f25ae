"""Counts credit: what a connection was sent and has not acknowledged, and how much more it may be sent. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from clarion.contracts.lanes import Lane
from clarion.contracts.limits import CREDIT_ITEMS, CREDIT_URGENT_ITEMS, ITEMS_PER_RECORD

URGENT: Final = Lane.URGENT  # looking a member up in its enum takes as long as the rest of a credit check
KEEP_BODY_BYTES: Final = 1_024  # a frame's average: smaller bodies cost less to keep than to remove


class OutgoingItem(msgspec.Struct, frozen=True, gc=False):
    """An item on its way to a connection.

    `body` is its encoded JSON. An item that is not `stored` has no `ord`; it carries `feed.START` instead.
    """

    id: str
    lane: Lane
    ord: int
    body: bytes
    stored: bool = True


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A frame that is not acknowledged yet. `size` is the sum of its bodies in bytes."""

    tag: int
    items: Sequence[OutgoingItem]
    size: int


class ProtocolViolation(Exception):
    """The client has sent a frame that the protocol does not allow; the connection is closed with 4400."""


@dataclass(slots=True)
class Credit:
    """Counts the credit of one connection. `tag` is the tag of the latest frame.

    `Feed` inherits from this class: a second object for each connection would cost memory, and each credit check one
    more attribute access.
    """

    tag: int = field(default=0, init=False)
    _sent: list[_Sent] = field(default_factory=list[_Sent], init=False)
    _items: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def send(self, items: Sequence[OutgoingItem]) -> int:
        """Note a frame with these items, and return its tag.

        Large bodies are dropped, since an acknowledgement does not need them.
        """
        self.tag += 1
        size = 0
        for item in items:
            size += len(item.body)
        if size > KEEP_BODY_BYTES * len(items):
            items = [msgspec.structs.replace(item, body=b"") for item in items]
        self._sent.append(_Sent(self.tag, items, size))
        self._items += len(items)
        self._bytes += size
        return self.tag

    def ack(self, tag: int) -> list[OutgoingItem]:
        """Return the items that `tag` acknowledges: all that was sent up to it is handled.

        Raises ProtocolViolation when that tag was never sent (D-ack-sent).
        """
        if tag > self.tag:
            raise ProtocolViolation(f"tag {tag} was never sent: the last one that was sent is {self.tag}")
        handled: list[OutgoingItem] = []
        while self._sent and self._sent[0].tag <= tag:
            sent = self._sent.pop(0)  # a list is fast enough: credit keeps it short
            self._items -= len(sent.items)
            self._bytes -= sent.size
            handled += sent.items
        return handled

    def in_flight(self) -> tuple[int, int]:
        """Return how many items and bytes are sent and not acknowledged."""
        return self._items, self._bytes

    def _credit_items(self, lane: Lane) -> int:
        """Return how many more items of `lane` there is credit for; a part of the credit is for urgent items only."""
        reserved = 0 if lane is URGENT else CREDIT_URGENT_ITEMS
        return CREDIT_ITEMS - reserved - self._items

    def _room(self, lane: Lane) -> int:
        """Return how many items a lane that catches up sends next: at most a frame, once half of the credit is there.

        Otherwise each few acknowledged items would send out a small frame, which costs as much as a full one: the silly
        window syndrome (RFC 813). Urgent items do not wait.
        """
        credit = self._credit_items(lane)
        if lane is URGENT:
            return credit
        return min(credit, ITEMS_PER_RECORD) if credit >= (CREDIT_ITEMS - CREDIT_URGENT_ITEMS) // 2 else 0
