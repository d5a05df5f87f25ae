"""The look behind the gauge `clarion_unaccounted`: every 30 s, at a cost that does not grow with the load.

It takes what was committed since the last look, reads up to RECORDS of it again from Kafka, and looks their ids up. So
up to 50 notifications a second each one is looked at, and of more a random part. docs/ledger.md says what it can see
and what it cannot.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from clarion.broker import group_offsets, record_search
from clarion.contracts import times
from clarion.contracts.limits import KIB
from clarion.contracts.topics import Names
from clarion.cooperative import TimeSlice
from clarion.operating.ledger import lookup, offsets, reading, sampling
from clarion.operating.ledger.judging import rows
from clarion.operating.ledger.judging.classify import CLOCKS, Known, Seen, View, judge
from clarion.operating.ledger.judging.rows import Letter, Odd, Row, Source
from clarion.operating.ledger.judging.states import WARNINGS, Finding
from clarion.operating.ledger.offsets import Offsets
from clarion.operating.ledger.sampling import Memory, Ranges, Suspect
from clarion.settings import Settings
from clarion.store import ledger
from clarion.store.driver.database import Database

EVERY: Final = timedelta(seconds=30)
RECORDS: Final = 1_500  # 50 a second
LETTERS: Final = 20_000
# A look that begins a little early counts for its turn, since observers do not wake at the same moment.
_EARLY: Final = timedelta(seconds=3)
_FETCH_BYTES: Final = 64 * KIB  # of a partition: more would be fetched and thrown away

Pair = tuple[Source, Row | Odd]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look has found. Of `passed` records that were committed since the last look, `read` were looked at.

    Both are 0 if another observer has looked, whose result this is.
    """

    unaccounted: int
    passed: int = 0
    read: int = 0


async def look(settings: Settings, within: Database, pick: Random) -> Looked:
    """Look if it is time, and return what is unaccounted for as far as any observer knows.

    Raises `offsets.TopicMissing`, `reading.Stalled`, one of `clients.SEND_ERRORS` or of `database.TRANSIENT`.
    """
    remembered, now = ledger.collection(within), times.now()
    document = await ledger.claim(remembered, now, EVERY - _EARLY)
    if document is None:
        return Looked(sampling.from_document(await ledger.find(remembered)).unaccounted)
    before = sampling.from_document(document)
    async with record_search.looking(settings, fetch_bytes=_FETCH_BYTES) as consumer:
        asked = await offsets.ask(settings, within, consumer)
        began = {source.topic: source.began for source in asked.sources}
        begins = {one: span.start for one, span in asked.spans.items()}
        passed = sampling.passed_since(before, began, begins, asked.committed)
        pairs: list[Pair] = []
        for ranges in sampling.choose(passed, begins, RECORDS, pick):
            pairs += await _read(consumer, asked, ranges)
        suspects = await _judge(within, asked, pairs, before.suspects)
        suspects = await _without_letters(settings, consumer, suspects, before.suspects)
    suspects = sampling.remember(before.suspects, suspects, now)
    after = Memory({one: end for one, (_, end) in passed.items()}, began, suspects)
    await ledger.save(remembered, now, sampling.to_document(after))
    return Looked(after.unaccounted, sum(end - first for first, end in passed.values()), len(pairs))


async def _read(consumer: Any, asked: Offsets, ranges: Ranges) -> list[Pair]:
    """Read and decode the records in `ranges`."""
    sources, time_slice, found = {one.topic: one for one in asked.sources}, TimeSlice(), list[Pair]()
    async for partition, records in reading.read(consumer, ranges):
        source = sources[partition.topic]
        for record in records:
            found.append((source, rows.row_of(record, partition.number, source, asked.at)))
            if time_slice.is_over():
                await time_slice.give_way()
    return found


async def _judge(within: Database, asked: Offsets, pairs: Sequence[Pair], before: Sequence[Suspect]) -> list[Suspect]:
    """Return which of the records that were read, and of earlier suspects, do not fit now."""
    candidates = {one.place: one for one in _candidates(asked, pairs)} | {one.place: one for one in before}
    found = [one for one in candidates.values() if isinstance(one.row, Odd)]
    by_id: defaultdict[str, list[Suspect]] = defaultdict(list)
    for one in candidates.values():
        if isinstance(one.row, Row):
            by_id[one.row.id].append(one)
    view = View(asked.at, since=None, is_whole=False, folds_are_done=False)
    ids, time_slice = sorted(by_id), TimeSlice()
    for start in range(0, len(ids), lookup.AT_ONCE):
        page = ids[start : start + lookup.AT_ONCE]
        stored = await lookup.by_id(within, page)
        for id_ in page:
            seen = [_seen(one.topic, one.row) for one in by_id[id_] if isinstance(one.row, Row)]
            known = Known(id_, seen, stored.kept.get(id_), id_ in stored.stubs, stored.held.get(id_))
            found += _blamed(by_id[id_], judge(known, view).findings)
            if time_slice.is_over():
                await time_slice.give_way()
    return found


def _blamed(records: Sequence[Suspect], findings: Iterable[Finding]) -> Iterable[Suspect]:
    """Yield the record of each finding; the first of the id's records for one that has no place."""
    places = {one.place: one for one in records}
    for finding in findings:
        if finding.fault not in WARNINGS:
            yield places.get((finding.topic or "", finding.partition or 0, finding.offset or 0), records[0])


def _candidates(asked: Offsets, pairs: Iterable[Pair]) -> Iterable[Suspect]:
    return (Suspect(source.topic, row, asked.at) for source, row in pairs)


def _seen(topic: str, row: Row) -> Seen:
    return Seen(row.content, row.plan, row.way, row.recipient, topic, row.partition, row.offset)


async def _without_letters(
    settings: Settings, consumer: Any, suspects: Sequence[Suspect], before: Sequence[Suspect]
) -> list[Suspect]:
    """Return those of the suspects of which there is no dead letter.

    Those of earlier looks have none: it would have been there before their offset was committed. When there are too
    many dead letters since the first of the others came, nobody can tell cheaply, and these are left out.
    """
    known = {one.key for one in before}
    kept = [one for one in suspects if one.key in known]
    fresh = [one for one in suspects if one.key not in known]
    if not fresh:
        return kept
    letters = await _letters(settings, consumer, times.from_ms(min(one.row.at for one in fresh)) - CLOCKS)
    if letters is None:
        return kept
    places = {(one.topic, one.partition, one.offset) for one in letters}
    runs = [one for one in letters if one.last > one.offset]
    return kept + [one for one in fresh if one.place not in places and not _is_in(one, runs)]


def _is_in(suspect: Suspect, runs: Iterable[Letter]) -> bool:
    """Return whether a dead letter of a run of records is about this one."""
    row = suspect.row
    last = row.last if isinstance(row, Odd) else row.offset
    return any(
        (run.topic, run.partition) == (suspect.topic, row.partition) and run.offset <= last and run.last >= row.offset
        for run in runs
    )


async def _letters(settings: Settings, consumer: Any, since: datetime) -> list[Letter] | None:
    """Return the dead letters since a moment; None when there are more than LETTERS."""
    async with group_offsets.asking(settings) as admin:
        partitions = await offsets.partitions_of(admin, [Names(settings.prefix).dead_letters])
    wanted = await record_search.since(consumer, await record_search.spans(consumer, partitions), since)
    if sum(span.end - span.start for span in wanted.values()) > LETTERS:
        return None
    found: list[Letter] = []
    async for _, records in reading.read(consumer, wanted):
        found += [letter for one in records if (letter := rows.letter_of(one))]
    return found
