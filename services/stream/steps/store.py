"""The store stage: a window into MongoDB in one insert; repeats, poison and superseded ones told apart.

Each step may be repeated after a crash or a failure: the insert by `_id`, collapsing by what is stored.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, TypeVar

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.resilience.backoff import Backoff
from clarion.resilience.latency_limit import Gate
from clarion.resilience.retry import retry
from clarion.store import notifications, raw_documents
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Fields
from clarion.store.notifications import Inserted, State, Stored
from clarion.store.updates import stubs
from services.stream.engine.stage_order import Ticket
from services.stream.steps.decode import Entry, conflict, dead_letter

# A repeat of what was delivered this recently is emitted again: its first emission may have reached the gateway of one
# of the user's devices and not that of another.
EMIT_AGAIN: Final = timedelta(minutes=15)

# A refused document may be refused for a passing reason. Its partition waits meanwhile, since `ord` must become visible
# in order, so the tries come quickly. Within its window it comes late all the same: see `records.late_records`.
POISON_TRIES: Final = 8
_POISON: Final = Backoff(base_s=0.02, cap_s=0.2)

# Below that an insert's latency says more about the round trip than about its documents.
_TELLING: Final = 50

T = TypeVar("T")


@dataclass(slots=True)
class Outcome:
    """What to emit in the lane's order, what can never be, and counts."""

    items: list[Entry | Stored] = field(default_factory=list[Entry | Stored])
    late: frozenset[str] = frozenset()  # became visible after what follows it: a cursor may have passed it
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])
    fresh: int = 0
    repeated: int = 0
    collapsed: int = 0


async def store(
    stored: Collection, lane: Lane, entries: Sequence[Entry], ticket: Ticket, gate: Gate | None, now: datetime
) -> Outcome:
    """Store what is new, look up what was there, and collapse.

    `gate` caps the inserts in flight by their latency; None for a lane that others make room for. Waits while MongoDB
    is away: Kafka is the lane's buffer. Raises `OwnershipLost` when the partitions are given up meanwhile.
    """
    keep_until = now + timedelta(days=limits.KEEP_DAYS)
    # neighbours in the indexes that begin with the recipient, so that MongoDB finds their pages in its caches: a sixth
    # less of its CPU. Sorting is stable: a recipient's keep their order.
    by_recipient = sorted(entries, key=attrgetter("recipient"))
    inserted = await insert_all(stored, raw_documents.encode(by_recipient, lane, now, keep_until), ticket, gate)
    if late := list(inserted.late):
        await _retry(lambda: notifications.come_late(stored, late))
    before: dict[str, Stored] = {}
    if inserted.repeats:
        before = await _retry(lambda: notifications.find(stored, list(inserted.repeats)))
        repeats = [entry for entry in entries if entry.id in inserted.repeats]
        if foretold := [e for e in repeats if not (known := before.get(e.id)) or _completes(e, known)]:
            wholes = raw_documents.encode(foretold, lane, now, keep_until)
            refused = await _complete(stored, wholes, ticket, gate, now)
            # not visible when what follows it was, and seen by nobody
            unseen = {e.id for e in foretold if not (known := before.get(e.id)) or not known.recipient}
            inserted = replace(inserted, refused={**inserted.refused, **refused}, late=inserted.late | unseen)
    # after the insert, and on a repeat again: deciding before it loses data when a window holds a repeat
    # (D-collapse-after)
    keys = {(e.recipient, key) for e in entries if (key := e.collapse_key)}
    collapsed = await _retry(lambda: notifications.collapse(stored, lane, keys, now)) if keys else set[str]()
    return settle(entries, inserted, before, collapsed, now)


async def _complete(
    stored: Collection, wholes: Sequence[Fields], ticket: Ticket, gate: Gate | None, now: datetime
) -> dict[str, str]:
    """Make stubs whole, and insert what is none any more: it was purged meanwhile. Returns what can never be, and why.

    See D-stub-completed. To readers they come late (D-late): a cursor may have passed them. They are marked so in the
    same write.
    """
    late = [{**whole, "late": True} for whole in wholes]
    refused = await _retry(lambda: stubs.complete(stored, late, now))
    purged = await insert_all(stored, late, ticket, gate)
    return {**refused, **purged.refused}


def settle(
    entries: Iterable[Entry], inserted: Inserted, before: Mapping[str, Stored], collapsed: Set[str], now: datetime
) -> Outcome:
    """What to do with each entry: `before` is what was stored under the ids that the insert told as repeats. Pure."""
    outcome = Outcome(late=inserted.late, repeated=len(inserted.repeats), collapsed=len(collapsed))
    for entry in entries:
        id_ = entry.id
        if reason := inserted.refused.get(id_):
            outcome.dead.append(
                dead_letter(entry.record, entry.partition, Reason.UNSTORABLE, reason, now, attempts=POISON_TRIES)
            )
        elif (known := before.get(id_)) is None or _completes(entry, known):
            outcome.fresh += 1
            if entry.is_pushed and id_ not in collapsed and not (known and _is_retracted(entry, known)):
                outcome.items.append(entry)
        elif not entry.says_the_same(known.recipient, known.collapse_key, known.deliver_at, known.body):
            outcome.dead.append(conflict(entry.record, entry.partition, id_, now))
        elif _is_due_again(known, now) and id_ not in collapsed:
            outcome.items.append(known)
    return outcome


def _completes(entry: Entry, known: Stored) -> bool:
    """Whether it was known before it was stored: acknowledged by nobody but the user it is for, or retracted."""
    return known.stub and known.recipient in ("", entry.recipient)


def _is_retracted(entry: Entry, known: Stored) -> bool:
    """Whether its own sender (D-retract-own) took it back before it was stored (D-retracted-first)."""
    return not known.retracted_by.isdisjoint((entry.sender, stubs.ANYBODY))


async def insert_all(stored: Collection, documents: Sequence[Fields], ticket: Ticket, gate: Gate | None) -> Inserted:
    """Insert all; try what is refused again, alone, POISON_TRIES times in all.

    What fails for a reason that passes by itself is tried alone for as long as that takes: a full disk makes no dead
    letters. What is stored is not sent again, or it would look like a repeat.
    """

    async def insert(batch: Sequence[Fields]) -> Inserted:
        if gate is None:
            ticket.check()
            return await notifications.insert(stored, batch)
        async with gate.passed():
            ticket.check()
            started = time.perf_counter()
            inserted = await notifications.insert(stored, batch)
            if len(batch) >= _TELLING:
                gate.limit.observe((time.perf_counter() - started) / len(batch))
            return inserted

    async def patiently(batch: Sequence[Fields]) -> Inserted:
        left, found = batch, Inserted()

        async def attempt() -> None:
            nonlocal left, found
            inserted = await insert(left)
            found = Inserted(
                found.repeats | inserted.repeats,
                {**found.refused, **inserted.refused},
                found.late | frozenset(inserted.waiting),
            )
            if inserted.waiting:  # rare, and to ask a raw document for its `_id` decodes all of it
                left = [document for document in left if document["_id"] in inserted.waiting]
                raise database.Unsure(f"{len(left)} of {len(batch)} wait: {next(iter(inserted.waiting.values()))}")

        await _retry(attempt)
        return found

    inserted = await patiently(documents)
    repeats, refused = inserted.repeats, inserted.refused
    late = inserted.late | frozenset(refused)
    for failures in range(POISON_TRIES - 1):
        if not refused:
            break
        await asyncio.sleep(_POISON.delay(failures))
        again = [document for document in documents if document["_id"] in refused]
        inserted = await patiently(again)
        repeats, refused = repeats | inserted.repeats, inserted.refused
    return Inserted(repeats, refused, late=late - set(refused))


async def _retry(call: Callable[[], Awaitable[T]]) -> T:
    return await retry(call, "mongodb", *database.TRANSIENT)


def _is_due_again(known: Stored, now: datetime) -> bool:
    """On a repeat the stored state and `ord` decide, not the record's (D-emit-again)."""
    recent = known.delivered_at is not None and now - known.delivered_at < EMIT_AGAIN
    return known.state is State.PENDING or (known.state in (State.DELIVERED, State.READ) and recent)
