"""Decode a lane's records into what to store, what belongs elsewhere, and what can never be stored. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.record_batch import Record, RecordBatch
from clarion.broker.partitioner import partition_of
from clarion.contracts import order, times, trace
from clarion.contracts.lanes import Lane
from clarion.contracts.records import dead_letters, deliveries, notification
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.records.notification import Invalid, Notification
from clarion.contracts.records.scheduling import was_released
from services.stream.steps import fast_decode, record_clock

Headers = Sequence[tuple[str, bytes]]


class Entry(msgspec.Struct, gc=False):  # a lane makes one for each record, and a dataclass takes twice as long
    """A decoded record: its place, the client's item (`body`), and what is stored beside that.

    It does not keep the whole notification: the less a window holds, the faster its next record is read. `headers` are
    those of the record; none when all that they say is a trace that is not sampled.
    """

    record: Record
    headers: Headers
    partition: Partition
    id: str
    recipient: str
    type: str
    sender: str
    created_at: datetime
    available_at: datetime
    expires_at: datetime | None
    deliver_at: datetime | None
    collapse_key: str | None
    ord: int
    body: bytes
    expired: bool
    throttled: bool = False

    @property
    def is_pushed(self) -> bool:
        """Return whether the notification is sent to clients at once: it is neither expired nor throttled."""
        return not (self.expired or self.throttled)

    def says_the_same(self, recipient: str, collapse_key: str | None, deliver_at: datetime | None, body: bytes) -> bool:
        """Return whether another use of the id has the same content, whenever it was created."""
        mine = (self.recipient, self.collapse_key, self.deliver_at and times.truncate(self.deliver_at))
        return mine == (recipient, collapse_key, deliver_at and times.truncate(deliver_at)) and (
            self.body == body or deliveries.content(self.body) == deliveries.content(body)
        )


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A record that belongs elsewhere. In the wrong partition it would split its recipient's order."""

    notification: Notification  # with its id and `created_at` set, so that the copy has the same
    partition: int | None  # the right one for its recipient; None lets the producer place it by key
    headers: Headers


@dataclass(slots=True)
class Decoded:
    """A decoded window: entries by id, records that belong elsewhere, dead letters, and counts."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    moved: list[Misplaced] = field(default_factory=list[Misplaced])
    planned: list[str] = field(default_factory=list[str])  # the entries that the scheduler may have held
    expiring: dict[str, datetime] = field(default_factory=dict[str, datetime])  # by id, when entries expire
    early: list[Misplaced] = field(default_factory=list[Misplaced])  # not due yet: the scheduler holds them
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])
    repeats: int = 0  # repeated ids within this window
    expired: int = 0
    throttled: int = 0

    def gone(self, now: datetime) -> set[str]:
        """Return the ids of entries that have expired by `now`, whether or not they had when they were decoded."""
        return {id_ for id_, at in self.expiring.items() if at <= now}


def decode_window(
    batches: Iterable[RecordBatch],
    lane: Lane,
    generation: int,
    partitions: int,
    now: datetime,
    began: int | None = None,
) -> Decoded:
    """Decode a window in one pass. A bad record becomes a dead letter and harms none of its neighbours.

    `partitions` is the number by which the lane's recipients are placed. The topic was made in the generation `began`;
    None if that is the present one.
    """
    began = generation if began is None else began
    decoded = Decoded()
    for batch in batches:
        decoded.dead += unreadable_letters(batch, now)
        for record in batch.records:
            headers = record.headers
            if headers and trace.is_unsampled(headers):
                headers = ()
            try:
                item = _notification(record, headers, batch.partition, began, now)
            except Invalid as error:
                decoded.dead.append(refused(record, batch.partition, error, now))
                continue
            right = partition_of(item.recipient, partitions)
            if item.deliver_at and _is_early(item, item.deliver_at, record, now):
                item.priority = lane
                decoded.early.append(Misplaced(item, None, record.headers))
            elif right != batch.partition.number:
                decoded.moved.append(Misplaced(item, right, record.headers))
            else:
                _add(decoded, _entry(item, record, headers, batch.partition, lane, generation, now), now)
    return decoded


def _notification(record: Record, headers: Headers, partition: Partition, began: int, now: datetime) -> Notification:
    if headers:
        notification.check_headers(headers)
    item = fast_decode.decode(record.value or empty(record))
    fill_in(item, record, partition, began, now)
    return item


def _is_early(item: Notification, due: datetime, record: Record, now: datetime) -> bool:
    """Return whether to hold it: by this clock it is not due, and no header says that it was released."""
    has_expired = item.expires_at is not None and item.expires_at <= now
    return due > now and not has_expired and not was_released(record.headers)


def _entry(
    item: Notification,
    record: Record,
    headers: Headers,
    partition: Partition,
    lane: Lane,
    generation: int,
    now: datetime,
) -> Entry:
    assert item.id is not None
    assert item.created_at is not None
    ord_ = order.pack(generation, record.offset)
    available_at = record_clock.available(item.created_at, item.deliver_at, record, now)
    return Entry(
        record,
        headers,
        partition,
        item.id,
        item.recipient,
        item.type,
        item.sender,
        item.created_at,
        available_at,
        item.expires_at,
        item.deliver_at,
        item.collapse_key,
        ord_,
        deliveries.body(item, lane, ord_, available_at),
        item.expires_at is not None and item.expires_at <= now,  # the call of a function for each record takes a while
    )


def _add(decoded: Decoded, entry: Entry, now: datetime) -> None:
    """Add `entry`, unless its id is there already: then it is a repeat, or a dead letter if its content differs."""
    first = decoded.entries.setdefault(entry.id, entry)
    if first is entry:
        decoded.expired += entry.expired
        if entry.deliver_at or (entry.headers and was_released(entry.headers)):
            decoded.planned.append(entry.id)
        if entry.expires_at:
            decoded.expiring[entry.id] = entry.expires_at
    elif first.says_the_same(entry.recipient, entry.collapse_key, entry.deliver_at, entry.body):
        decoded.repeats += 1
    else:
        decoded.dead.append(conflict(entry.record, entry.partition, entry.id, now))


def fill_in(item: Notification, record: Record, partition: Partition, began: int, now: datetime) -> None:
    """Set what `item` has from its record: the id, if the sender gave none, and the creation time.

    The id is the same whenever the record is decoded, or a repeat would be another notification. `began` is the
    generation in which its topic was made.
    """
    item.created_at = record_clock.created(item.created_at, record, now)
    if item.id is None:
        item.id = dead_letters.made_id(record.headers, partition.topic, began, partition.number, record.offset, now)


def unreadable_letters(batch: RecordBatch, now: datetime) -> list[DeadLetter]:
    """Return a dead letter for each run of records that cannot be read.

    It has the offset of the first of them, and the bytes that the broker has.
    """
    return [
        dead_letter(
            lost,
            batch.partition,
            Reason.UNREADABLE,
            f"offsets {lost.offset} to {lost.last} cannot be read: {lost.error}",
            now,
        )
        for lost in batch.unreadable
    ]


def dead_letter(
    record: Record | Unreadable, partition: Partition, reason: Reason, error: str, now: datetime, *, attempts: int = 1
) -> DeadLetter:
    """Return the dead letter of a record that was tried `attempts` times."""
    return DeadLetter(
        value=record.value or b"",
        key=record.key,
        reason=reason,
        error=error,
        topic=partition.topic,
        partition=partition.number,
        offset=record.offset,
        attempts=attempts,
        first_seen=times.from_ms(record.timestamp or 0),
        last_seen=now,
        own=record.headers,
    )


def empty(record: Record) -> bytes:
    """Return the value of a record whose value is empty. Raise `Invalid` for a tombstone: here it deletes nothing."""
    if record.value is None:
        detail = "the record is a tombstone, without a value, and deletes nothing here: retract by DELETE at ingest"
        raise Invalid("", "undecodable", None, detail)
    return record.value


def refused(record: Record, partition: Partition, error: Invalid, now: datetime) -> DeadLetter:
    """Return the dead letter of a record that its contract refuses."""
    reason = Reason.UNDECODABLE if error.code == "undecodable" else Reason.INVALID
    return dead_letter(record, partition, reason, str(error), now)


def conflict(record: Record, partition: Partition, id_: str, now: datetime) -> DeadLetter:
    """Return the dead letter of a record whose id was used before with other content.

    Keeping one of the two and dropping the other silently would lose a notification.
    """
    return dead_letter(record, partition, Reason.ID_CONFLICT, f"the id {id_} was used before with other content", now)
