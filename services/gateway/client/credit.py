"""Credit: how much a connection may be sent before it acknowledges, and what it has not acknowledged yet. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from clarion.contracts.lanes import Lane
from clarion.contracts.limits import CREDIT_ITEMS, CREDIT_URGENT_ITEMS, ITEMS_PER_RECORD

URGENT: Final = Lane.URGENT  # looking a member up in its enum takes as long as the rest of a check of credit
KEEP_BODY_BYTES: Final = 1_024  # on average of a frame: smaller bodies cost less to keep than to take out


class OutgoingItem(msgspec.Struct, frozen=True, gc=False):
    """An item on its way to a connection; `body` is its encoded JSON. One that is not `stored` has no `ord`."""

    id: str
    lane: Lane
    ord: int
    body: bytes
    stored: bool = True


class _Sent(msgspec.Struct, frozen=True, gc=False):
    tag: int
    items: Sequence[OutgoingItem]
    size: int


class ProtocolViolation(Exception):
    """The client said what cannot be."""


@dataclass(slots=True)
class Credit:
    """A feed is one by inheritance: an object of its own for each connection would cost memory and a step a check."""

    tag: int = field(default=0, init=False)
    _sent: list[_Sent] = field(default_factory=list[_Sent], init=False)
    _items: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def send(self, items: Sequence[OutgoingItem]) -> int:
        """Note a frame with these items; return its tag. Large bodies are let go of: an acknowledgement needs none."""
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
        """Everything up to `tag` is handled; return what that acknowledges. Raises ProtocolViolation (D-ack-sent)."""
        if tag > self.tag:
            raise ProtocolViolation(f"tag {tag} was never sent, the last one is {self.tag}")
        handled: list[OutgoingItem] = []
        while self._sent and self._sent[0].tag <= tag:
            sent = self._sent.pop(0)  # there are never many
            self._items -= len(sent.items)
            self._bytes -= sent.size
            handled += sent.items
        return handled

    def in_flight(self) -> tuple[int, int]:
        """Items and bytes sent and not acknowledged."""
        return self._items, self._bytes

    def _credit_items(self, lane: Lane) -> int:
        reserved = 0 if lane is URGENT else CREDIT_URGENT_ITEMS
        return CREDIT_ITEMS - reserved - self._items

    def _room(self, lane: Lane) -> int:
        """Items to send next of a lane that catches up: a frame of them, once half of the credit is there.

        Else a frame goes out for each few that are acknowledged, and costs as much as a full one: the silly window of
        RFC 813. What is urgent does not wait.
        """
        credit = self._credit_items(lane)
        if lane is URGENT:
            return credit
        return min(credit, ITEMS_PER_RECORD) if credit >= (CREDIT_ITEMS - CREDIT_URGENT_ITEMS) // 2 else 0
