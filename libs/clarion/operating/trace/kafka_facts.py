"""What Kafka still has of one notification: bounded looks by offset and by time into the partitions where it may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import group_offsets, record_search
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.raw_records import Record
from clarion.broker.partitioner import partition_of
from clarion.broker.record_search import Hit, Span
from clarion.contracts import order, times
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.records import deliveries, receipts
from clarion.contracts.records.deliveries import Items, Unstored
from clarion.contracts.records.notification import Invalid
from clarion.contracts.records.receipts import Receipt
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store.queries.notification_facts import NotificationFacts

_BEFORE: Final = timedelta(seconds=5)  # clocks differ
_AFTER: Final = timedelta(seconds=60)
_ON_ITS_WAY: Final = timedelta(minutes=5)  # from when an id was made until its record is with Kafka
_DELIVERIES_KEPT: Final = timedelta(minutes=15)
_TRACEPARENT: Final = "traceparent"


@dataclass(frozen=True, slots=True)
class Died:
    """What the headers of a dead letter say."""

    reason: str
    error: str
    place: str


@dataclass(slots=True)
class KafkaFacts:
    """What was found. `unread_before` are the records before `taken` that are still to be read; -1 if it was read.

    `taken` is the notification's own record, with its `traceparent`. `routed` are records in mailboxes, each with
    whether it was sent before the notification was stored. `notes` say what could not be looked at.
    """

    taken: Hit[str] | None = None
    unread_before: int = -1
    routed: list[Hit[bool]] = field(default_factory=list[Hit[bool]])
    receipts: list[Hit[Receipt]] = field(default_factory=list[Hit[Receipt]])
    died: list[Hit[Died]] = field(default_factory=list[Hit[Died]])
    notes: list[str] = field(default_factory=list[str])


async def find(settings: Settings, facts: NotificationFacts) -> KafkaFacts:
    """Look for a notification in Kafka, by what MongoDB knows of it. Raises one of `clients.SEND_ERRORS`."""
    names, found = Names(settings.prefix), KafkaFacts()
    async with group_offsets.asking(settings) as admin, record_search.looking(settings) as consumer:
        if "ord" in facts.stored:
            await _find_stored(admin, consumer, names, facts, found)
        else:
            await _find_unstored(admin, consumer, names, facts, found)
    return found


async def _find_stored(
    admin: AIOKafkaAdminClient, consumer: Any, names: Names, facts: NotificationFacts, found: KafkaFacts
) -> None:
    """Find the record by its offset, what was routed by its time, and receipts by theirs."""
    document, lane = facts.stored, Lane(facts.stored["lane"])
    generation, offset = order.unpack(document["ord"])
    topic = names.notifications(lane)
    placing = facts.placings.get(topic)
    if placing is not None and placing.generation == generation:
        partition = Partition(topic, partition_of(facts.recipient, placing.partitions))
        one = await record_search.search(consumer, {partition: Span(offset, offset + 1)}, _of(facts.id), hits=1)
        found.taken = next(iter(one.hits), None)
    stored_at: datetime = document["stored_at"]
    if times.now() - stored_at < _DELIVERIES_KEPT:
        mailboxes = await _spans(admin, consumer, [names.deliveries(lane)])
        span = await record_search.between(consumer, mailboxes, stored_at - _BEFORE, stored_at + _AFTER)
        searched = await record_search.search(consumer, span, _routed(facts.id), hits=20)
        found.routed = list(searched.hits)
        _note(found, searched.is_whole, names.deliveries(lane))
    else:
        found.notes.append("how it was routed is not kept any more: delivery records are kept for 15 minutes")
    partitions = await _spans(admin, consumer, [names.receipts])
    own = Partition(names.receipts, partition_of(facts.recipient, len(partitions) or 1))
    for moment in sorted({document[name] for name in ("delivered_at", "read_at") if name in document}):
        within = {own: partitions[own]} if own in partitions else {}
        span = await record_search.between(consumer, within, moment - _BEFORE, moment + _AFTER)
        searched = await record_search.search(consumer, span, _receipt(facts.id), hits=20)
        found.receipts += [hit for hit in searched.hits if hit not in found.receipts]
        _note(found, searched.is_whole, names.receipts)


async def _find_unstored(
    admin: AIOKafkaAdminClient, consumer: Any, names: Names, facts: NotificationFacts, found: KafkaFacts
) -> None:
    """Look among the records that are still to be read, then among those of the time at which the id was made.

    The latter only if MongoDB knows nothing of the id. The id of a scheduled notification tells when that is due.
    """
    id_ = facts.id
    topics = [*(names.notifications(lane) for lane in LANES), names.scheduled]
    roles = [*(lane.value for lane in LANES), "scheduler"]
    commits = await group_offsets.committed(admin, [names.group(role) for role in roles])
    spans = await _spans(admin, consumer, topics)  # afterwards, so that no commit is beyond an end
    unread = record_search.unread(spans, commits)
    searched = await record_search.search(consumer, unread, _of(id_), hits=1)
    _note(found, searched.is_whole, "the records that are still to be read")
    made = _made(id_)
    if searched.hits:
        (hit,) = searched.hits
        found.taken, found.unread_before = hit, hit.offset - unread[hit.partition].start
        return
    if facts.held or facts.deaths:
        return
    if made is None:
        found.notes.append("the id does not tell when it was made, so that only unread records were searched")
        return
    around = await record_search.between(consumer, spans, made - _BEFORE, made + _ON_ITS_WAY)
    searched = await record_search.search(consumer, around, _of(id_), hits=1)
    _note(found, searched.is_whole, "the lanes' records of the time at which the id was made")
    found.taken = next(iter(searched.hits), None)
    letters = await _spans(admin, consumer, [names.dead_letters])
    dead = await record_search.search(
        consumer, await record_search.since(consumer, letters, made - _BEFORE), _died(id_), hits=10
    )
    _note(found, dead.is_whole, names.dead_letters)
    found.died = list(dead.hits)


async def _spans(admin: AIOKafkaAdminClient, consumer: Any, topics: Sequence[str]) -> dict[Partition, Span]:
    return await record_search.spans(consumer, await record_search.partitions_of(admin, topics))


def _note(found: KafkaFacts, is_whole: bool, what: str) -> None:
    if not is_whole:
        found.notes.append(f"the search of {what} ended at its limit of time or size before the end")


def _made(id_: str) -> datetime | None:
    """Return when an id was made, which only a UUIDv7 tells."""
    known = UUID(id_)
    return times.from_ms(known.int >> 80) if known.version == 7 else None


def _has(record: Record, id_: bytes) -> bool:
    return id_ in (record.value or b"").lower()


def _of(id_: str) -> Callable[[Record], str | None]:
    """Return a match for the notification's own record; what it finds is the record's `traceparent`, if any."""
    wanted = id_.encode()

    def match(record: Record) -> str | None:
        if not _has(record, wanted):
            return None
        return next(
            ((content or b"").decode(errors="replace") for name, content in record.headers if name == _TRACEPARENT), ""
        )

    return match


def _routed(id_: str) -> Callable[[Record], bool | None]:
    wanted = id_.encode()

    def match(record: Record) -> bool | None:
        if not _has(record, wanted):
            return None
        try:
            decoded = deliveries.decode(record.value)
        except Invalid:
            return None
        is_item = isinstance(decoded, Items | Unstored) and any(item.id == id_ for item in decoded.items)
        return isinstance(decoded, Unstored) if is_item else None

    return match


def _receipt(id_: str) -> Callable[[Record], Receipt | None]:
    wanted = id_.encode()

    def match(record: Record) -> Receipt | None:
        if not _has(record, wanted):
            return None
        try:
            decoded = receipts.decode(record.value or b"")
        except Invalid:
            return None
        return decoded if id_ in decoded.ids else None

    return match


def _died(id_: str) -> Callable[[Record], Died | None]:
    wanted = id_.encode()

    def match(record: Record) -> Died | None:
        if not _has(record, wanted):
            return None
        told = {name: (content or b"").decode(errors="replace") for name, content in record.headers}
        place = "/".join(told.get(name, "?") for name in ("topic", "partition", "offset"))
        return Died(told.get("reason", "?"), told.get("error", ""), place)

    return match
