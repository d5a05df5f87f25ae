"""Prove the ledger's equation for a span of time: read Kafka, sort by id, then look up each id in the store.

First all records of the span are read from Kafka into a `Spill`, and the dead letters since. Then the sorted ids are
looked up, some hundred at a time, and judged. Then what is stored and held is read, for what has no record. What does
not fit is looked at twice more, after some seconds, together with what came to Kafka since: what was under way is in
its place by then.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clarion.broker import group_offsets, record_search
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import order, times
from clarion.contracts.ids import is_uuid
from clarion.contracts.topics import Names
from clarion.operating.ledger import lookup, offsets, reading
from clarion.operating.ledger.judging import fields, rows
from clarion.operating.ledger.judging.classify import CLOCKS, Known, Seen, View, judge
from clarion.operating.ledger.judging.fields import Kept, Waiting
from clarion.operating.ledger.judging.rows import Row
from clarion.operating.ledger.judging.states import Balance, Fault, Finding, Home
from clarion.operating.ledger.offsets import Offsets
from clarion.operating.ledger.report import Report, Span
from clarion.operating.ledger.spill import CACHE_KIB, Spill, spill
from clarion.settings import Settings
from clarion.store.driver.database import Database
from clarion.store.scheduled import Held

SETTLE_S: Final = 5.0
_ROUNDS: Final = 2
_OVERDUE: Final = timedelta(seconds=60)
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[str, int, int], None]  # what is done now, how much of it is done, and of how much


@asynccontextmanager
async def audited(
    settings: Settings,
    within: Database,
    span: Span,
    progress: Progress,
    *,
    settle_s: float = SETTLE_S,
    cache_kib: int = CACHE_KIB,
) -> AsyncGenerator[Report]:
    """Audit a span, and yield what was found.

    Raises `offsets.TopicMissing`, `reading.Stalled`, one of `clients.SEND_ERRORS` or of `database.TRANSIENT`.
    """
    async with record_search.looking(settings) as consumer:
        asked = await offsets.ask(settings, within, consumer)
        with spill([source.topic for source in asked.sources], cache_kib) as spilled:
            audit = _Audit(settings, within, span, progress, consumer, spilled)
            yield await audit.run(asked, settle_s)


@dataclass(slots=True)
class _Audit:
    settings: Settings
    within: Database
    span: Span
    progress: Progress
    consumer: Any
    spilled: Spill
    balance: Balance = field(default_factory=Balance)
    ranges: dict[Partition, tuple[int, int]] = field(default_factory=dict[Partition, tuple[int, int]])
    began: dict[Partition, int] = field(default_factory=dict[Partition, int])  # when the first record of each came
    read_to: dict[Partition, int] = field(default_factory=dict[Partition, int])
    letters_to: dict[Partition, int] = field(default_factory=dict[Partition, int])
    overdue: int = 0
    earlier: int = 0

    async def run(self, asked: Offsets, settle_s: float) -> Report:
        """Do the whole audit."""
        await self._read(asked)
        self.progress("sorting", 0, 1)
        await asyncio.to_thread(self.spilled.sort)
        records, ids = self.spilled.count()
        view = self._view(asked)
        await self._look_up(asked, view, ids)
        await self._look_at_store(asked, view)
        self._look_at_places()
        for number in range(_ROUNDS):
            if self.spilled.has_suspects():
                self.progress("waiting for what is under way", number, _ROUNDS)
                await asyncio.sleep(settle_s)
                await self._look_again(is_last=number == _ROUNDS - 1)
        faults, findings = self.spilled.faults(), self.spilled.findings
        return Report(self.span, asked.at, records, ids, self.balance, faults, self.overdue, self.earlier, findings)

    # ---- Kafka

    async def _read(self, asked: Offsets) -> None:
        """Read the records of the span, then all dead letters since its beginning."""
        wanted = asked.spans
        if self.span.since is not None:
            wanted = await record_search.since(self.consumer, wanted, self.span.since)
        self.ranges = dict(wanted)
        if self.span.until is not None:
            later = await record_search.since(self.consumer, wanted, self.span.until)
            self.ranges = {one: (span.start, later[one].start) for one, span in wanted.items()}
        self.read_to = {one: end for one, (_, end) in self.ranges.items()}
        for source in asked.sources:
            mine = {one: span for one, span in self.ranges.items() if one.topic == source.topic}
            done, of = 0, sum(end - start for start, end in mine.values())
            async for partition, records in reading.read(self.consumer, mine):
                found = [rows.row_of(one, partition.number, source, asked.at) for one in records]
                if partition not in self.began and (came := next((one.at for one in found if one.at), 0)):
                    self.began[partition] = came
                self.spilled.add(source.topic, found)
                done += len(records)
                self.progress(f"reading {source.topic}", done, of)
        await self._read_letters(self.span.since and self.span.since - CLOCKS)
        self._note_progress(asked)

    async def _read_letters(self, moment: datetime | None) -> None:
        """Read the dead letters since a moment, or since they were read last."""
        topic = Names(self.settings.prefix).dead_letters
        async with group_offsets.asking(self.settings) as admin:
            partitions = await offsets.partitions_of(admin, [topic])
        spans = await record_search.spans(self.consumer, partitions)
        wanted: Mapping[Partition, tuple[int, int]] = spans
        if self.letters_to:
            wanted = {one: (self.letters_to.get(one, span.start), span.end) for one, span in spans.items()}
        elif moment is not None:
            wanted = await record_search.since(self.consumer, spans, moment)
        done, of = 0, sum(max(0, end - start) for start, end in wanted.values())
        async for _, records in reading.read(self.consumer, wanted):
            self.spilled.add_letters(letter for one in records if (letter := rows.letter_of(one)))
            done += len(records)
            self.progress(f"reading {topic}", done, of)
        self.letters_to = {one: span.end for one, span in spans.items()}

    def _note_progress(self, asked: Offsets) -> None:
        new = {one: (span.end, span.end) for one, span in asked.spans.items() if one not in self.ranges}
        self.spilled.set_progress(self.ranges | new, self.began, asked.committed, asked.reached)

    def _view(self, asked: Offsets) -> View:
        return View(asked.at, self._held_since(asked), is_whole=True, folds_are_done=asked.folds_are_done)

    def _held_since(self, asked: Offsets) -> datetime:
        """Return since when the records of everything that is held were read."""
        topic, moments = Names(self.settings.prefix).scheduled, [_FIRST]
        for partition, (first, _) in self.ranges.items():
            if partition.topic != topic or (first == 0 and topic not in asked.anew):
                continue
            if self.span.since is not None and first > asked.spans[partition].start:
                moments.append(self.span.since)
            else:
                came = self.began.get(partition)
                moments.append(asked.at if came is None else times.from_ms(came))
        return max(moments)

    # ---- the store

    async def _look_up(self, asked: Offsets, view: View, ids: int) -> None:
        """Look up and judge each id that has a record. Those that do not fit become suspects."""
        done = 0
        for page in self.spilled.ids(lookup.AT_ONCE):
            for known in await self._known(page, asked):
                self._judge(known, view)
            done += len(page)
            self.progress("looking ids up", done, ids)

    async def _known(self, page: Sequence[str], asked: Offsets) -> list[Known]:
        """Return everything that is known of each id."""
        found = await lookup.by_id(self.within, page)
        seen, refused = self.spilled.seen(page), self.spilled.refused(page)
        self.spilled.meet_letters(id_ for id_, some in seen.items() if any(one.dead for one in some))
        known: list[Known] = []
        for id_ in page:
            kept = found.kept.get(id_)
            is_own = self._is_own_place(kept, asked) if kept else None
            known.append(
                Known(id_, seen.get(id_, ()), kept, id_ in found.stubs, found.held.get(id_), id_ in refused, is_own)
            )
        return known

    def _is_own_place(self, kept: Kept, asked: Offsets) -> bool | None:
        """Return whether the record at the place that `ord` names has this id; None when that was not read."""
        generation, offset = order.unpack(kept.ord)
        source = next((one for one in asked.sources if one.lane is kept.lane and one.lane is not None), None)
        if source is None or source.generation != generation:  # of an earlier one the partition is not known
            return None
        return self.spilled.has_record(kept.id, source.topic, partition_of(kept.recipient, source.partitions), offset)

    def _judge(self, known: Known, view: View) -> None:
        verdict = judge(known, view)
        if verdict.findings:
            self.spilled.suspect([known.id])
        else:
            self.balance.add(verdict.balance)

    async def _look_at_store(self, asked: Offsets, view: View) -> None:
        """Judge what is stored and held and has no record. What does not fit becomes a suspect."""
        stored, held = await lookup.counts(self.within)
        done = 0
        async for batch in lookup.all_stored(self.within, self.span.since):
            for kept in map(fields.kept_of, self._without_record(batch)):
                self._judge(Known(kept.id, kept=kept, is_own_place=self._is_own_place(kept, asked)), view)
            done += len(batch)
            self.progress("reading what is stored", done, stored)
        done = 0
        async for batch in lookup.all_held(self.within, view.since):
            without = self._without_record(batch)
            for waiting in map(fields.waiting_of, batch):
                self._count_waiting(waiting, view)
            for waiting in map(fields.waiting_of, without):
                self.earlier += waiting.state is Held.WAITING
                self._judge(Known(waiting.id, held=waiting), view)
            done += len(batch)
            self.progress("reading what is held", done, held)

    def _without_record(self, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the documents whose ids have no record, and note those whose id can be none."""
        usual = {one["_id"]: dict(one) for one in batch if _is_id(one["_id"])}
        strange = [str(one["_id"]) for one in batch if not _is_id(one["_id"])]
        self.spilled.find(Finding(Fault.CONTRADICTION, "its id is no UUID in lower case", id_) for id_ in strange)
        known = self.spilled.known(usual)
        return [one for id_, one in usual.items() if id_ not in known]

    def _count_waiting(self, waiting: Waiting, view: View) -> None:
        is_late = waiting.due is not None and waiting.due < view.now - _OVERDUE
        self.overdue += waiting.state is Held.WAITING and is_late

    # ---- what does not fit

    def _look_at_places(self) -> None:
        """Count the records that cannot be processed, and find those and the dead letters that have no other half."""
        still_open, dead = self.spilled.odd()
        self.balance.homes[Home.IN_KAFKA] += still_open
        self.balance.homes[Home.DEAD] += dead
        for finding in self.spilled.odd_without_letter():
            self.balance.missing += 1
            self.spilled.find([finding])
        for finding in self.spilled.letters_without_record():
            self.spilled.find([finding])

    async def _look_again(self, *, is_last: bool) -> None:
        """Judge all suspects anew, with what came to Kafka since; only the last time, what does not fit is named."""
        asked = await offsets.ask(self.settings, self.within, self.consumer)
        for source in asked.sources:
            wanted = {
                one: (self.read_to.get(one, span.start), span.end)
                for one, span in asked.spans.items()
                if one.topic == source.topic
            }
            async for partition, records in reading.read(self.consumer, wanted):
                found = [rows.row_of(one, partition.number, source, asked.at) for one in records]
                named = {one.id for one in found if isinstance(one, Row)}
                suspected = self.spilled.suspected(list(named))
                self.spilled.add(
                    source.topic, (one for one in found if isinstance(one, Row) and one.id in suspected), is_sorted=True
                )
        self.read_to = {one: span.end for one, span in asked.spans.items()}
        await self._read_letters(None)
        self._note_progress(asked)
        view = self._view(asked)
        for page in self.spilled.suspects(lookup.AT_ONCE):
            for known in await self._known(page, asked):
                verdict = judge(known, view)
                if verdict.findings and is_last:
                    self.spilled.find(verdict.findings)
                if is_last or not verdict.findings:
                    if any(self._is_in_span(one) for one in known.seen):
                        self.balance.add(verdict.balance)
                    self.spilled.clear([known.id])

    def _is_in_span(self, seen: Seen) -> bool:
        partition = Partition(seen.topic, seen.partition)
        return partition in self.ranges and seen.offset < self.ranges[partition][1]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and is_uuid(value)
