"""Which records a look reads, and what it remembers of those that do not fit. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec

from clarion.broker.consuming.commit_tracker import Partition
from clarion.operating.ledger.judging.rows import Odd, Row, Way
from clarion.store.driver.database import Document

SUSPECTS: Final = 1_000  # more are not remembered: by then it does not matter how many there are
FORGET: Final = timedelta(days=1)
CONFIRMED: Final = 2  # looks in which it did not fit
# The share of a look that goes to records of earlier looks, so that what is lost later is noticed if it is much.
EARLIER: Final = 10

Ranges = dict[Partition, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record that did not fit in the last `looks` looks, and when that was first seen."""

    topic: str
    row: Row | Odd
    since: datetime
    looks: int = 1

    @property
    def place(self) -> tuple[str, int, int]:
        """Return where the record is."""
        return self.topic, self.row.partition, self.row.offset

    @property
    def key(self) -> tuple[object, ...]:
        """Return what the suspect is about: a use of an id, or else a place."""
        return (self.row.id, self.row.content) if isinstance(self.row, Row) else self.place


@dataclass(slots=True)
class Memory:
    """What is remembered from look to look: how far each partition was looked at, and suspects."""

    read: dict[Partition, int] = field(default_factory=dict[Partition, int])
    began: dict[str, int] = field(default_factory=dict[str, int])  # of each topic, to notice one that was made anew
    suspects: list[Suspect] = field(default_factory=list[Suspect])

    @property
    def unaccounted(self) -> int:
        """Return how many suspects are confirmed."""
        return sum(suspect.looks >= CONFIRMED for suspect in self.suspects)


def choose(
    passed: Mapping[Partition, tuple[int, int]], begins: Mapping[Partition, int], records: int, pick: Random
) -> tuple[Ranges, Ranges]:
    """Return which offsets to read: of what was `passed` since the last look, and of what was before.

    If no more than `records` were passed, all of them are read, else one block of each partition, at a random place and
    as long as its share of `records`.
    """
    before = {one: (begins[one], first) for one, (first, _) in passed.items()}
    return _blocks(passed, records, pick), _blocks(before, records // EARLIER, pick)


def _blocks(spans: Mapping[Partition, tuple[int, int]], records: int, pick: Random) -> Ranges:
    total = sum(max(0, last - first) for first, last in spans.values())
    chosen: Ranges = {}
    for partition, (first, last) in spans.items():
        length = last - first
        if length <= 0:
            continue
        if total > records:
            # a share below 1 is a chance: otherwise many small partitions would never be read, or always
            share = records * length / total
            length = int(share) + (pick.random() < share % 1)
        if length:
            start = first + pick.randrange(last - first - length + 1)
            chosen[partition] = start, start + length
    return chosen


def passed_since(
    memory: Memory, began: Mapping[str, int], begins: Mapping[Partition, int], committed: Mapping[Partition, int]
) -> Ranges:
    """Return what was committed in each partition since the last look; nothing of a topic that is new to it."""
    passed: Ranges = {}
    for partition, begin in begins.items():
        topic, end = partition.topic, max(begin, committed.get(partition, begin))
        if topic not in memory.began:
            first = end
        elif memory.began[topic] != began[topic]:  # it was made anew, and counts from 0 again
            first = begin
        else:
            first = min(max(memory.read.get(partition, begin), begin), end)
        passed[partition] = first, end
    return passed


def remember(before: Iterable[Suspect], found: Iterable[Suspect], now: datetime) -> list[Suspect]:
    """Return the suspects after a look in which `found` do not fit: known ones are seen once more."""
    known = {suspect.key: suspect for suspect in before}
    kept: dict[tuple[object, ...], Suspect] = {}
    for suspect in found:
        first = known.get(suspect.key)
        again = replace(suspect, since=first.since, looks=first.looks + 1) if first else suspect
        if now - again.since <= FORGET:
            kept[again.key] = again
    return sorted(kept.values(), key=lambda one: (one.since, one.place))[:SUSPECTS]


def to_document(memory: Memory) -> Document:
    """Return what is remembered as the store keeps it."""
    return {
        "read": [[*partition, offset] for partition, offset in memory.read.items()],
        "began": [[topic, began] for topic, began in memory.began.items()],
        "suspects": [
            {
                "topic": one.topic,
                "since": one.since,
                "looks": one.looks,
                **_row_fields(one.row),
            }
            for one in memory.suspects
        ],
    }


def from_document(document: Document) -> Memory:
    """Return what is remembered; nothing before the first look."""
    return Memory(
        read={Partition(topic, number): offset for topic, number, offset in document.get("read", ())},
        began=dict(document.get("began", ())),
        suspects=[
            Suspect(
                one["topic"],
                _row(one["row"]) if "row" in one else Odd(*one["odd"]),
                one["since"],
                one["looks"],
            )
            for one in document.get("suspects", ())
        ],
    )


def _row_fields(row: Row | Odd) -> Document:
    if isinstance(row, Odd):
        return {"odd": list(row)}
    return {"row": msgspec.structs.asdict(row) | {"way": int(row.way)}}


def _row(fields: dict[str, Any]) -> Row:
    row = Row(**fields)
    row.way = Way(fields["way"])  # the store keeps a number
    return row
