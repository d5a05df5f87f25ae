"""What the ledger keeps of each record in Kafka: a few dozen bytes, without the payload. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Any, Final, NamedTuple

import msgspec

from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.raw_records import Record
from clarion.broker.partitioner import partition_of
from clarion.contracts.lanes import Lane
from clarion.contracts.records import dead_letters, notification
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.notification import Id, Invalid
from clarion.contracts.records.scheduling import was_released
from clarion.operating.ledger.judging import content

_RUN: Final = re.compile(r"^offsets (\d{1,19}) to (\d{1,19}) cannot be read")  # how such a dead letter's error begins


@dataclass(frozen=True, slots=True)
class Source:
    """A topic of what is published. `lane` is None for the topic of what is to be delivered later.

    `began` and `partitions` are what the store knows of it: the generation in which it was made, from which ids are
    made, and by how many partitions recipients are placed. `generation` is part of each `ord`.
    """

    topic: str
    lane: Lane | None
    began: int
    generation: int
    partitions: int


class Way(IntFlag):
    """Why a record may have been sent on, so that another record with its id is stored, and not this one."""

    NONE = 0
    SCHEDULED = 1  # it came to be held
    ASTRAY = 2  # it is not in its recipient's partition
    EARLY = 4  # it came to a lane with a `deliver_at`, and had not been held yet


class Row(msgspec.Struct, gc=False):
    """A record that can be processed. `content` tells uses of an id apart, `plan` is the digest of what is held."""

    id: str
    content: bytes
    plan: bytes | None
    partition: int
    offset: int
    at: int  # when the broker took it, in milliseconds since 1970
    recipient: str
    way: Way


class Odd(NamedTuple):
    """A record that can never be processed, or a run of them up to `last` that cannot be read.

    `at` is when the broker took it, in milliseconds since 1970; 0 if that cannot be read, either.
    """

    partition: int
    offset: int
    last: int
    at: int
    error: str


class Letter(NamedTuple):
    """A dead letter: the place of its record, or of a run of them up to `last`.

    The offset is -1 if Kafka refused the record when it was sent on. Then `id` names the notification.
    """

    topic: str
    partition: int
    offset: int
    last: int
    at: int
    id: str | None


class _Named(msgspec.Struct):
    id: Id


_named: Final = msgspec.json.Decoder(_Named)


def row_of(record: Any, partition: int, source: Source, now: datetime) -> Row | Odd:
    """Return what the ledger keeps of a record that was fetched at `now`.

    It is decoded as a lane, or the scheduler, decodes it.
    """
    if isinstance(record, Unreadable):
        return Odd(partition, record.offset, record.last, 0, record.error)
    try:
        return _row(record, partition, source, now)
    except Invalid as error:
        return Odd(partition, record.offset, record.offset, record.timestamp, str(error))


def _row(record: Record, partition: int, source: Source, now: datetime) -> Row:
    if record.headers:
        notification.check_headers(record.headers)
    if record.value is None:
        raise Invalid("", "undecodable", None, "the record is a tombstone")
    item = notification.decode(record.value)
    id_ = item.id or dead_letters.made_id(record.headers, source.topic, source.began, partition, record.offset, now)
    way = Way.NONE if partition_of(item.recipient, source.partitions) == partition else Way.ASTRAY
    plan = None
    if source.lane is None:
        way |= Way.SCHEDULED
    else:
        item.priority = source.lane
        if item.deliver_at and not was_released(record.headers):
            way |= Way.EARLY
    if way & (Way.SCHEDULED | Way.EARLY):
        plan = notification.digest(item)
    said = content.of_notification(item, item.priority)
    return Row(id_, said, plan, partition, record.offset, record.timestamp, item.recipient, way)


def letter_of(record: Any) -> Letter | None:
    """Return what the ledger keeps of a record on `dead-letters`; None of one that is no dead letter."""
    if isinstance(record, Unreadable):
        return None
    headers: dict[str, bytes | None] = dict(record.headers)
    topic, partition, offset = (_text(headers.get(name)) for name in ("topic", "partition", "offset"))
    if not topic or not _is_number(partition) or not _is_number(offset):
        return None
    first = last = int(offset)
    if _text(headers.get("reason")) == Reason.UNREADABLE and (run := _RUN.match(_text(headers.get("error")))):
        last = max(first, int(run[2]))
    return Letter(topic, int(partition), first, last, record.timestamp, _id_of(record) if first < 0 else None)


def _id_of(record: Record) -> str | None:
    try:
        return _named.decode(record.value or b"").id.lower()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 19
