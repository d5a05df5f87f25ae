"""Retractions of ids under which nothing was found: the notification may be in Kafka, held, stored by now, or nowhere.

A retraction marks what is stored, or is noted in a stub, which the lane's insert meets. Then it marks what is held. The
scheduler holds a notification, and then looks for stubs. Whatever the interleaving, one of the two sees the other
(D-retract-both).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pymongo import UpdateMany

from clarion.contracts.api.status import State
from clarion.contracts.records.receipts import Op, Receipt
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Write
from clarion.store.driver.failures import asked
from clarion.store.updates import receipt_updates, stubs
from clarion.store.updates.stubs import Retraction


def retractions(receipts: Iterable[Receipt]) -> list[Retraction]:
    """Return what `unfound` receipts retract, one entry for each id."""
    by: defaultdict[str, set[str]] = defaultdict(set)
    at: dict[str, datetime] = {}
    for receipt in receipts:
        assert receipt.unfound is not None
        (id_,) = receipt.ids
        by[id_].add(receipt.unfound.sender or stubs.ANYBODY)
        at.setdefault(id_, receipt.at)
    return [Retraction(id_, senders, at[id_]) for id_, senders in by.items()]


async def retract(within: Database, found: Sequence[Retraction], now: datetime) -> list[Receipt]:
    """Apply retractions; return the receipts of those that have met what they retract.

    What MongoDB can never take is counted and left out. Raises one of `database.TRANSIENT`; applying the same again is
    harmless.
    """
    if not found:
        return []
    documents, held = notifications.collection(within), scheduled.collection(within)
    await note(documents, found, now)
    stored = await _stored(documents, found)
    return receipts_of({**stored, **await scheduled.take_back(held, found, now)}, now)


async def note(documents: Collection, found: Sequence[Retraction], now: datetime) -> None:
    """Mark what is stored, and leave stubs for the rest. Raises one of `database.TRANSIENT`."""
    await database.write(documents, [write for one in found for write in writes(one, now)])


def writes(retraction: Retraction, now: datetime) -> list[Write]:
    """Return the writes of a retraction, those of the stub first.

    What is inserted after the stub meets it, and what was inserted before it is marked.
    """
    condition, change = receipt_updates.retracted(retraction.at)
    return [*stubs.retracted(retraction, now), UpdateMany(retraction.query() | condition, change)]


@asked
async def _stored(documents: Collection, found: Sequence[Retraction]) -> dict[str, str]:
    """Return the recipients of what is retracted and stored, by id."""
    query = {"_id": {"$in": [one.id for one in found]}, "state": State.RETRACTED, "sender": {"$exists": True}}
    return stubs.met(found, await documents.find(query, ["recipient", "sender"]).to_list(None))


def receipts_of(recipients: Mapping[str, str], now: datetime) -> list[Receipt]:
    """Return a receipt `retracted` for each id and its recipient, for the user's devices and all who read receipts."""
    return [Receipt(user, Op.RETRACTED, [id_], now, folded=True) for id_, user in recipients.items()]
