"""Pack what goes to mailboxes into few delivery records, each so small that urgent never waits long behind one."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Protocol

from msgspec import Raw

from clarion.contracts import limits, order
from clarion.contracts.lanes import Lane
from clarion.contracts.records.deliveries import Addressed, Early, Items

_OVERHEAD_BYTES = 128  # about what id, lane, ord and punctuation add to a body


class Routable(Protocol):
    """An item of a lane."""

    @property
    def id(self) -> str:
        """Return the notification's id."""
        ...

    @property
    def recipient(self) -> str:
        """Return the user whom the notification is for."""
        ...

    @property
    def ord(self) -> int:
        """Return the notification's place in its lane."""
        ...

    @property
    def body(self) -> bytes:
        """Return the client's item as encoded JSON."""
        ...


def pack(items: Iterable[Routable], lane: Lane, mailboxes: Mapping[str, Set[int]]) -> Iterator[tuple[int, Items]]:
    """Yield (mailbox, record) pairs.

    Each mailbox sees its items in the order given. Items for users who are not connected are left out.
    """
    open_records: dict[int, list[Addressed]] = {}
    sizes: dict[int, int] = {}
    for item in items:
        online = mailboxes.get(item.recipient)
        if not online:
            continue
        addressed = Addressed(item.recipient, lane, order.unpack(item.ord), item.id, Raw(item.body))
        size = _size(item.recipient, item.body)
        for mailbox in online:
            gathered = open_records.setdefault(mailbox, [])
            if gathered and (len(gathered) == limits.ITEMS_PER_RECORD or sizes[mailbox] + size > limits.ITEMS_BYTES):
                yield mailbox, Items(gathered)
                gathered = open_records[mailbox] = []
                sizes[mailbox] = 0
            gathered.append(addressed)
            sizes[mailbox] = sizes.get(mailbox, 0) + size
    for mailbox, gathered in open_records.items():
        yield mailbox, Items(gathered)


def runs(items: Iterable[Early]) -> Iterator[list[Early]]:
    """Yield the items in runs that fit into one record each, within the limits of `pack`."""
    gathered: list[Early] = []
    total = 0
    for item in items:
        size = _size(item.recipient, bytes(item.body))
        if gathered and (len(gathered) == limits.ITEMS_PER_RECORD or total + size > limits.ITEMS_BYTES):
            yield gathered
            gathered, total = [], 0
        gathered.append(item)
        total += size
    if gathered:
        yield gathered


def _size(recipient: str, body: bytes) -> int:
    return len(body) + len(recipient) + _OVERHEAD_BYTES
