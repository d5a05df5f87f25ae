"""Make the records to produce, as arguments of `AIOKafkaProducer.send`. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from msgspec import Raw

from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification, receipts
from clarion.contracts.records.dead_letters import DeadLetter
from clarion.contracts.records.deliveries import Early, Items, Sync, Unstored
from clarion.contracts.records.receipts import Receipt
from clarion.contracts.records.scheduling import RELEASED
from clarion.contracts.topics import Names
from clarion.store.scheduled import Due
from services.stream.steps.decode import Entry, Misplaced
from services.stream.steps.pack import Routable, runs
from services.stream.steps.sampled import give, sampled

Sent = dict[str, Any]


def item_records(names: Names, lane: Lane, packed: Iterable[tuple[int, Items]]) -> Iterator[Sent]:
    """Yield packed items, each for its mailbox's partition of the lane's delivery topic."""
    topic = names.deliveries(lane)
    for mailbox, record in packed:
        yield {"topic": topic, "partition": mailbox, "value": deliveries.encode(record)}


def unstored_records(names: Names, lane: Lane, entries: Sequence[Entry], mailboxes: Iterable[int]) -> Iterator[Sent]:
    """Yield the same few records for every mailbox, since nobody knows who is where. Each is encoded once."""
    early = [Early(e.recipient, lane, e.id, Raw(deliveries.unstored_body(e.body))) for e in entries]
    records = [Unstored(list(run)) for run in runs(early)]
    give(sampled(entries), records)
    values = [deliveries.encode(record) for record in records]
    for mailbox in mailboxes:
        for value in values:
            yield {"topic": names.deliveries(lane), "partition": mailbox, "value": value}


def late_records(
    names: Names, lane: Lane, late: Iterable[Routable], mailboxes: Mapping[str, Set[int]]
) -> Iterator[Sent]:
    """Yield items once more, to be pushed whatever the cursor (D-late).

    A cursor may have passed them, since they became visible after those that follow them.
    """
    for item in late:
        early = Early(item.recipient, lane, item.id, Raw(deliveries.unstored_body(item.body)))
        value = deliveries.encode(Unstored([early]))
        for mailbox in mailboxes.get(item.recipient, ()):
            yield {"topic": names.deliveries(lane), "partition": mailbox, "value": value}


def sync_records(names: Names, syncs: Iterable[Sync], mailboxes: Mapping[str, Set[int]]) -> Iterator[Sent]:
    """Yield each sync for all mailboxes at which its recipient is connected."""
    for sync in syncs:
        value = deliveries.encode(sync)
        for mailbox in mailboxes.get(sync.recipient, ()):
            yield {"topic": names.deliveries_bulk, "partition": mailbox, "value": value}


def dead_letter_records(names: Names, letters: Iterable[DeadLetter]) -> Iterator[Sent]:
    """Yield dead letters for their topic."""
    for letter in letters:
        yield {
            "topic": names.dead_letters,
            "key": letter.partition_key(),
            "value": letter.payload(),
            "headers": letter.headers(),
        }


def moved_records(topic: str, moved: Iterable[Misplaced]) -> Iterator[Sent]:
    """Yield copies for `topic` of records that were in the wrong partition or topic."""
    for record in moved:
        partition = {} if record.partition is None else {"partition": record.partition}
        yield {
            "topic": topic,
            **partition,
            "key": record.notification.recipient.encode(),
            "value": notification.encode(record.notification),
            "headers": list(record.headers),
        }


def released_records(names: Names, due: Iterable[Due]) -> Iterator[Sent]:
    """Yield held notifications that are due, each for its lane, with a header that says so."""
    for item in due:
        yield {
            "topic": names.notifications(item.lane),
            "key": item.recipient.encode(),
            "value": item.value,
            "headers": [*item.headers, (RELEASED, b"")],
        }


def receipt_records(names: Names, found: Iterable[Receipt]) -> Iterator[Sent]:
    """Yield receipts, keyed by user."""
    for receipt in found:
        yield {
            "topic": names.receipts,
            "key": receipt.user.encode(),
            "value": receipts.encode(receipt),
            "headers": receipts.headers(receipt),
        }
