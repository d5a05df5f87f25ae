"""Decode records of `notifications.scheduled` into what to hold, and until when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import Record, RecordBatch
from clarion.broker.partitioner import partition_of
from clarion.contracts.records import notification, scheduling
from clarion.contracts.records.dead_letters import DeadLetter
from clarion.contracts.records.notification import Invalid, Notification
from clarion.store.scheduled import Held
from services.stream.steps.decode import Misplaced, conflict, empty, fill_in, refused, unreadable_letters

# How far ingest's clock may be ahead of this one: what ingest has accepted must not be refused here.
_CLOCKS: Final = timedelta(days=1)


@dataclass(slots=True)
class ToHold:
    """A decoded record: its notification, with id and `created_at` set, and the digest of its content."""

    record: Record
    partition: Partition
    notification: Notification
    id: str
    digest: bytes

    def document(self, now: datetime) -> dict[str, Any]:
        """Return the document that holds it. Without a `deliver_at` it is due `now`."""
        item = self.notification
        document = {
            "_id": self.id,
            "partition": self.partition.number,
            "due": item.deliver_at or now,
            "state": str(Held.WAITING.value),
            "recipient": item.recipient,
            "sender": item.sender,
            "type": item.type,
            "lane": str(item.priority.value),
            "created_at": item.created_at,
            "digest": self.digest,
            "value": notification.encode(item),
            "headers": list(self.record.headers),
        }
        if item.expires_at:
            document["expires_at"] = item.expires_at
        return document


@dataclass(slots=True)
class DecodedToHold:
    """A decoded window: what to hold, by id, records of another partition, and dead letters."""

    by_id: dict[str, ToHold] = field(default_factory=dict[str, ToHold])
    moved: list[Misplaced] = field(default_factory=list[Misplaced])
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])


def decode_plans(batches: Iterable[RecordBatch], began: int, partitions: int, now: datetime) -> DecodedToHold:
    """Decode a window in one pass. A bad record becomes a dead letter and harms none of its neighbours.

    `partitions` is how many `notifications.scheduled` has. The topic was made in the generation `began`.
    """
    plans = DecodedToHold()
    for batch in batches:
        plans.dead += unreadable_letters(batch, now)
        for record in batch.records:
            try:
                plan = _plan(record, batch.partition, began, now)
            except Invalid as error:
                plans.dead.append(refused(record, batch.partition, error, now))
                continue
            right = partition_of(plan.notification.recipient, partitions)
            if right != batch.partition.number:
                plans.moved.append(Misplaced(plan.notification, right, record.headers))
            elif plans.by_id.setdefault(plan.id, plan).digest != plan.digest:
                plans.dead.append(conflict(record, batch.partition, plan.id, now))
    return plans


def _plan(record: Record, partition: Partition, began: int, now: datetime) -> ToHold:
    notification.check_headers(record.headers)
    item = notification.decode(record.value or empty(record))
    if item.deliver_at and item.deliver_at - now > scheduling.AHEAD + _CLOCKS:
        scheduling.check(item, now)
    fill_in(item, record, partition, began, now)
    assert item.id is not None
    return ToHold(record, partition, item, item.id, notification.digest(item))
