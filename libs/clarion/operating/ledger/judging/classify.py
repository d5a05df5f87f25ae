"""Judge everything that is known of one id: in which state each use of it is, and what does not fit. Pure.

An id has one use, unless it was published with different contents. A use has one or more records: the id was published
again, or a record was sent on, to be held, to its lane, or to its recipient's partition. Each use has to be in exactly
one state; a record that is a dead letter counts by its place.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clarion.contracts.api.status import State
from clarion.operating.ledger.judging.fields import Kept, Waiting
from clarion.operating.ledger.judging.rows import Way
from clarion.operating.ledger.judging.states import HOMES, WARNINGS, Balance, Fault, Finding, Home
from clarion.store.scheduled import Held

# How far clocks of processes may differ: what is stored this long before it was due was due by another clock.
CLOCKS: Final = timedelta(minutes=5)
# What is begun by one write and ended by another may be found in between for this long.
SETTLES: Final = timedelta(seconds=60)
_LIVE: Final = frozenset({State.PENDING, State.DELIVERED, State.READ, State.THROTTLED})


@dataclass(frozen=True, slots=True)
class Seen:
    """Records of one use that are alike, and the place of the first of them."""

    content: bytes
    plan: bytes | None
    way: Way
    recipient: str
    topic: str
    partition: int
    offset: int
    count: int = 1
    dead: bool = False  # there is a dead letter of its place
    open: bool = False  # its offset is not committed
    skipped: bool = False  # its offset is committed, and the store says that it has less

    @property
    def is_final(self) -> bool:
        """Return whether nothing was done with the record but to store it, or to make it a dead letter."""
        return self.way is Way.NONE


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that is known of one id.

    `kept` is what is stored, and `is_stub` is True when that is only a stub. `refused`: there is a dead letter of a
    copy that Kafka did not take. `is_own_place` tells whether a record with this id is where the stored one says that
    it came from; None when that cannot be known, as when Kafka does not retain the place.
    """

    id: str
    seen: Sequence[Seen] = ()
    kept: Kept | None = None
    is_stub: bool = False
    held: Waiting | None = None
    refused: bool = False
    is_own_place: bool | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the records that were read can tell.

    `now` is when the offsets were asked for. With `is_whole`, every record since `since` was read, so that what has no
    record was never accepted; otherwise some records were read, and those that were sent on tell nothing.
    `folds_are_done` says that every receipt was folded.
    """

    now: datetime
    since: datetime | None
    is_whole: bool
    folds_are_done: bool


@dataclass(slots=True)
class Verdict:
    """The states of an id's uses, and what does not fit."""

    balance: Balance = field(default_factory=Balance)
    findings: list[Finding] = field(default_factory=list[Finding])

    def missing(self, finding: Finding) -> None:
        """Note that something accepted is in no state."""
        self.balance.missing += 1
        self.findings.append(finding)


def judge(known: Known, view: View) -> Verdict:
    """Return in which states the uses of an id are, and what does not fit."""
    verdict = Verdict()
    uses: defaultdict[bytes, list[Seen]] = defaultdict(list)
    for seen in known.seen:
        uses[seen.content].append(seen)
    for records in uses.values():
        _judge_use(known, records, view, verdict)
    if all(finding.fault in WARNINGS for finding in verdict.findings):  # else what is stored or held is named already
        verdict.findings += _beyond_records(known, uses.keys(), view)
    verdict.findings += _contradictions(known, uses.keys(), view)
    return verdict


def _judge_use(known: Known, records: Sequence[Seen], view: View, verdict: Verdict) -> None:
    """Find the one state of a use, and count its dead letters."""
    kept, homes = known.kept, verdict.balance.homes
    dead = [seen for seen in records if seen.dead]
    live = [seen for seen in records if not seen.dead]
    homes[Home.DEAD] += sum(seen.count for seen in dead)
    if kept and kept.content == records[0].content:
        if dead and known.is_own_place and not live:
            text = f"it is {kept.state} in the store, and its record is a dead letter"
            verdict.findings.append(_finding(known, Fault.DEAD_AND_STORED, text, dead[0]))
        if not live:
            return
        if kept.state is None:
            verdict.missing(_finding(known, Fault.NO_STATE, "; ".join(kept.contradictions), live[0]))
        else:
            homes[HOMES[kept.state]] += 1
            verdict.findings += _commit_behind(known, kept, live, view)
        return
    if not live:
        return
    held = known.held if known.held and _is_held(known.held, live) else None
    if held and held.state is Held.WAITING:
        homes[Home.SCHEDULED] += 1
    elif held and held.state is Held.RETRACTED:
        homes[Home.RETRACTED] += 1
    elif any(seen.open for seen in live):
        homes[Home.IN_KAFKA] += 1
    elif known.refused and all(seen.way for seen in live):
        homes[Home.DEAD] += 1
    elif dead and all(seen.way for seen in live):
        pass  # what became of them is a dead letter, and counts by its place
    elif view.is_whole or not _may_be_elsewhere(live, held):
        verdict.missing(_lost(known, live, held))


def _is_held(held: Waiting, records: Sequence[Seen]) -> bool:
    return any(seen.plan == held.digest for seen in records if seen.plan)


def _may_be_elsewhere(live: Sequence[Seen], held: Waiting | None) -> bool:
    """Return whether another record may account for these, which was not read."""
    if held:  # its release is a record of its own
        return True
    return all(seen.way & (Way.ASTRAY | Way.EARLY) for seen in live)


def _lost(known: Known, live: Sequence[Seen], held: Waiting | None) -> Finding:
    """Return why a use that is in no state is missing."""
    record = min(live, key=lambda seen: (bool(seen.way), seen.topic, seen.partition, seen.offset))
    kept = known.kept
    if held is not None:
        return _finding(known, Fault.NOT_RELEASED, "it counts as released, and is in no lane", record)
    if kept and not any(seen.content == kept.content for seen in known.seen) and kept.recipient != record.recipient:
        text = f"it was accepted for {record.recipient!r} and is stored for {kept.recipient!r}"
        return _finding(known, Fault.OTHER_RECIPIENT, text, record)
    if kept:
        text = "other content is stored under its id, and its record is no dead letter"
        return _finding(known, Fault.OTHER_CONTENT, text, record)
    if known.held and any(seen.plan for seen in live):
        text = "other content is held under its id, and its record is no dead letter"
        return _finding(known, Fault.OTHER_CONTENT, text, record)
    if any(seen.skipped for seen in live):
        text = "its offset is committed, and the store says that it has less: the lane reads it again when it starts"
        return _finding(known, Fault.SKIPPED, text, record)
    if known.is_stub:
        return _finding(known, Fault.ONLY_A_STUB, "its offset is committed, and only a stub is stored", record)
    return _finding(known, Fault.NOWHERE, "its offset is committed, and it is in no state", record)


def _commit_behind(known: Known, kept: Kept, live: Sequence[Seen], view: View) -> Iterator[Finding]:
    """Yield a warning when all records of what was stored a while ago are still to be committed."""
    if kept.stored_at and view.now - kept.stored_at > SETTLES and all(seen.open for seen in live):
        seconds = int((view.now - kept.stored_at).total_seconds())
        text = f"it was stored {seconds} s ago, and its lane has not committed its offset"
        yield _finding(known, Fault.COMMIT_BEHIND, text, live[0])


def _beyond_records(known: Known, said: Set[bytes], view: View) -> Iterator[Finding]:
    """Yield what is stored or held and has no record, and what is in both collections."""
    kept, held = known.kept, known.held
    is_stray = kept is not None and kept.content not in said and known.is_own_place is not None
    held_is_stray = held is not None and not _is_held(held, known.seen) and _must_have_record(held, view)
    waits = held is not None and held.state is Held.WAITING
    if waits and ((kept and is_stray) or (held_is_stray and kept) or _is_too_soon(known)):
        yield _finding(known, Fault.TWO_PLACES, "it waits to be delivered later, and is stored as well")
    elif is_stray:
        yield _finding(known, Fault.NEVER_ACCEPTED, "it is stored, and no record with its content is in Kafka")
    elif held_is_stray:
        yield _finding(known, Fault.NEVER_ACCEPTED, "it is held, and no record with its content is in Kafka")


def _must_have_record(held: Waiting, view: View) -> bool:
    """Return whether the record of what is held must be among those that were read."""
    if not view.is_whole or view.since is None or held.created_at is None:
        return False
    return view.since + CLOCKS <= held.created_at <= view.now


def _is_too_soon(known: Known) -> bool:
    """Return whether the same use is stored long before it is due, and waits as well.

    What is due waits for a moment after it is stored, since it is released first and marked then (D-release-first).
    """
    kept, held = known.kept, known.held
    if not (kept and held and kept.stored_at and held.due):
        return False
    is_same = any(seen.plan == held.digest and seen.content == kept.content for seen in known.seen)
    return is_same and held.due > kept.stored_at + CLOCKS


def _contradictions(known: Known, said: Set[bytes], view: View) -> Iterator[Finding]:
    """Yield what is in a state that its own fields, its place or the other collection contradict."""
    kept, held = known.kept, known.held
    texts: list[str] = []
    if kept and kept.state is not None:
        texts += kept.contradictions
        if kept.content in said and known.is_own_place is False:
            texts.append("`ord` is the place of another record")
    if kept and kept.state is None and kept.content not in said:
        texts += kept.contradictions
    if held:
        texts += [f"held: {text}" for text in held.contradictions]
    if texts:
        yield _finding(known, Fault.CONTRADICTION, "; ".join(texts))
    if kept and held and _is_half_retracted(known, kept, held, view):
        yield _finding(known, Fault.HALF_RETRACTED, f"it was taken back while it was held, and is {kept.state}")


def _is_half_retracted(known: Known, kept: Kept, held: Waiting, view: View) -> bool:
    """Return whether what was retracted where it is held is not so where it is stored (D-retract-both)."""
    return (
        held.state is Held.RETRACTED
        and kept.state in _LIVE
        and (kept.recipient, kept.sender) == (held.recipient, held.sender)
        and view.folds_are_done
        and held.retracted_at is not None
        and view.now - held.retracted_at > SETTLES
        and not any(seen.open for seen in known.seen)
    )


def _finding(known: Known, fault: Fault, detail: str, place: Seen | None = None) -> Finding:
    if place is None:
        return Finding(fault, detail, known.id)
    return Finding(fault, detail, known.id, place.topic, place.partition, place.offset)
