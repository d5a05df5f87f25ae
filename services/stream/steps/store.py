"""Store a window in MongoDB in one insert, and tell repeats, poison and superseded notifications apart.

Each step may be repeated after a crash or a failure: the insert goes by `_id`, and collapsing by what is stored.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
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

# MongoDB may refuse a document for a reason that passes. Its partition waits meanwhile, since `ord` must become visible
# in order, so the tries come quickly. It comes later than the rest of its window all the same: see
# `records.late_records`.
POISON_TRIES: Final = 8
_POISON: Final = Backoff(base_s=0.02, cap_s=0.2)

# With fewer documents an insert's latency says more about the round trip than about the documents.
_TELLING: Final = 50

T = TypeVar("T")
Confirmed = Callable[[], Awaitable[None]] | None


@dataclass(slots=True)
class Outcome:
    """A stored window: what to emit, in the lane's order, what can never be stored, and counts."""

    items: list[Entry | Stored] = field(default_factory=list[Entry | Stored])
    late: frozenset[str] = frozenset()  # ids that became visible after later ones: a cursor may have passed them
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])
    fresh: int = 0
    repeated: int = 0
    collapsed: int = 0


async def store(
    stored: Collection,
    lane: Lane,
    entries: Sequence[Entry],
    ticket: Ticket,
    gate: Gate | None,
    now: datetime,
    confirmed: Confirmed = None,
) -> Outcome:
    """Store what is new, look up what was there before, and collapse.

    `gate` limits the inserts in flight by their latency; None for the urgent lane, for which the other lanes make room.
    `confirmed` is awaited before each try to insert, and raises `OwnershipLost` when the store was restored meanwhile.
    Wait while MongoDB is away: Kafka is the lane's buffer. Raise `OwnershipLost` when the partitions are given up
    meanwhile.
    """
    keep_until = now + timedelta(days=limits.KEEP_DAYS)
    # Sorted by recipient, documents are neighbours in the indexes that begin with the recipient, so MongoDB finds their
    # pages in its caches: that takes a sixth less of its CPU. Sorting is stable, so a recipient's keep their order.
    by_recipient = sorted(entries, key=attrgetter("recipient"))
    documents = raw_documents.encode(by_recipient, lane, now, keep_until)
    inserted = await insert_all(stored, documents, ticket, gate, confirmed)
    if late := list(inserted.late):
        await _retry(lambda: notifications.come_late(stored, late))
    before: dict[str, Stored] = {}
    if inserted.repeats:
        before = await _retry(lambda: notifications.find(stored, list(inserted.repeats)))
        repeats = [entry for entry in entries if entry.id in inserted.repeats]
        if foretold := [e for e in repeats if not (known := before.get(e.id)) or _completes(e, known)]:
            wholes = raw_documents.encode(foretold, lane, now, keep_until)
            refused = await _complete(stored, wholes, ticket, gate, now)
            # not visible when later ones became so, and acknowledged by nobody
            unseen = {e.id for e in foretold if not (known := before.get(e.id)) or not known.recipient}
            inserted = replace(inserted, refused={**inserted.refused, **refused}, late=inserted.late | unseen)
    # Collapse after the insert, and again on a repeat: deciding before the insert loses data when a window holds a
    # repeat (D-collapse-after).
    keys = {(e.recipient, key) for e in entries if (key := e.collapse_key)}
    collapsed = await _retry(lambda: notifications.collapse(stored, lane, keys, now)) if keys else set[str]()
    return settle(entries, inserted, before, collapsed, now)


async def _complete(
    stored: Collection, wholes: Sequence[Fields], ticket: Ticket, gate: Gate | None, now: datetime
) -> dict[str, str]:
    """Complete stubs, and insert those that were purged meanwhile. Return what can never be stored, and why.

    See D-stub-completed. For readers these notifications come late (D-late), since a cursor may have passed them. The
    same write marks them so.
    """
    late = [{**whole, "late": True} for whole in wholes]
    refused = await _retry(lambda: stubs.complete(stored, late, now))
    purged = await insert_all(stored, late, ticket, gate)
    return {**refused, **purged.refused}


def settle(
    entries: Sequence[Entry], inserted: Inserted, before: Mapping[str, Stored], collapsed: Set[str], now: datetime
) -> Outcome:
    """Decide what to do with each entry. Pure.

    `before` is what was stored under the ids that the insert found to be repeats.
    """
    outcome = Outcome(late=inserted.late, repeated=len(inserted.repeats), collapsed=len(collapsed))
    # Most windows are all new. `is_pushed` is written out here: the call of a property for each record takes a while.
    if not (inserted.refused or before or collapsed):
        outcome.fresh = len(entries)
        outcome.items = [entry for entry in entries if not (entry.expired or entry.throttled)]
        return outcome
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
    """Return whether `known` is a stub that `entry` completes: nobody but its recipient has acknowledged it."""
    return known.stub and known.recipient in ("", entry.recipient)


def _is_retracted(entry: Entry, known: Stored) -> bool:
    """Return whether its own sender (D-retract-own) took it back before it was stored (D-retracted-first)."""
    return not known.retracted_by.isdisjoint((entry.sender, stubs.ANYBODY))


async def insert_all(
    stored: Collection, documents: Sequence[Fields], ticket: Ticket, gate: Gate | None, confirmed: Confirmed = None
) -> Inserted:
    """Insert all documents. Try those that are refused again, alone, POISON_TRIES times in all.

    What fails for a reason that passes by itself is tried again, alone, for as long as that takes, so a full disk makes
    no dead letters. What is stored is not sent again, since it would look like a repeat. `confirmed` is awaited before
    each try (D-restored-order).
    """

    async def insert(batch: Sequence[Fields]) -> Inserted:
        if confirmed is not None:
            await confirmed()
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
            if inserted.waiting:  # only then, since asking a raw document for its `_id` decodes all of it
                left = [document for document in left if document["_id"] in inserted.waiting]
                raise database.Unsure(
                    f"{len(left)} of {len(batch)} documents are not stored yet: {next(iter(inserted.waiting.values()))}"
                )

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
    """Return whether to emit a repeat. The stored state and `ord` decide, not the record's (D-emit-again)."""
    recent = known.delivered_at is not None and now - known.delivered_at < EMIT_AGAIN
    return known.state is State.PENDING or (known.state in (State.DELIVERED, State.READ) and recent)
