"""What goes to whom → few delivery records, each small enough that urgent never waits long behind one."""

from collections.abc import Iterable, Iterator, Mapping, Set

from msgspec import Raw

from clarion.contracts import limits, order
from clarion.contracts.deliveries import Addressed, Early, Items
from clarion.contracts.lanes import Lane

_OVERHEAD_BYTES = 128  # recipient, lane, ord and punctuation around a body, roughly


def address(recipient: str, lane: Lane, ord_: int, id_: str, body: bytes) -> Addressed:
    return Addressed(recipient, lane, order.unpack(ord_), id_, Raw(body))


def pack(items: Iterable[Addressed], mailboxes: Mapping[str, Set[int]]) -> Iterator[tuple[int, Items]]:
    """(mailbox, record) pairs. Each mailbox sees its items in the order given; who is not connected is left out."""
    open_records: dict[int, list[Addressed]] = {}
    sizes: dict[int, int] = {}
    for item in items:
        size = _size(item)
        for mailbox in mailboxes.get(item.recipient, ()):
            gathered = open_records.setdefault(mailbox, [])
            if gathered and (len(gathered) == limits.ITEMS_PER_RECORD or sizes[mailbox] + size > limits.ITEMS_BYTES):
                yield mailbox, Items(gathered)
                gathered = open_records[mailbox] = []
                sizes[mailbox] = 0
            gathered.append(item)
            sizes[mailbox] = sizes.get(mailbox, 0) + size
    for mailbox, gathered in open_records.items():
        yield mailbox, Items(gathered)


def runs(items: Iterable[Early]) -> Iterator[list[Early]]:
    """What goes into one record each, within the same limits."""
    gathered: list[Early] = []
    total = 0
    for item in items:
        size = _size(item)
        if gathered and (len(gathered) == limits.ITEMS_PER_RECORD or total + size > limits.ITEMS_BYTES):
            yield gathered
            gathered, total = [], 0
        gathered.append(item)
        total += size
    if gathered:
        yield gathered


def _size(item: Addressed | Early) -> int:
    return len(bytes(item.body)) + len(item.recipient) + _OVERHEAD_BYTES
