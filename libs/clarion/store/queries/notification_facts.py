"""Everything the store knows of one notification, for the people who ask what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.store import deaths, notifications, scheduled, sessions, topics
from clarion.store.driver.database import Database, Document
from clarion.store.driver.failures import asked
from clarion.store.topics import Placing

_LEFT_OUT: Final = {"body": 0}


@dataclass(frozen=True, slots=True)
class Death:
    """A use of an id that ended as a dead letter. `place` is `topic/partition/offset` of the record."""

    sender: str
    recipient: str
    at: datetime
    reason: str
    detail: str
    place: str


@dataclass(frozen=True, slots=True)
class NotificationFacts:
    """What is stored under an id, in each collection; empty where there is nothing. `stored` may be a stub.

    `replaced_by` is the id under whose notification a collapsed one gave way. `mailboxes` are those through which the
    recipient is connected now. `placings` say by how many partitions the recipients of each topic are placed.
    """

    id: str
    recipient: str  # empty if it is not known
    stored: Document
    held: Document
    deaths: Sequence[Death]
    replaced_by: str
    mailboxes: Sequence[int]
    placings: Mapping[str, Placing]


@asked
async def find(database: Database, names: Names, id_: str) -> NotificationFacts:
    """Return what the store knows of an id. Raises one of `database.TRANSIENT`."""
    documents = notifications.collection(database)
    stored: Document = await documents.find_one({"_id": id_}, _LEFT_OUT) or {}
    held: Document = await scheduled.collection(database).find_one({"_id": id_}, {"value": 0, "headers": 0}) or {}
    died = await deaths.find(deaths.collection(database), id_, None)
    died_as = [Death(one["sender"], one["recipient"], *_use(use)) for one in died for use in one["uses"]]
    recipient = next((one["recipient"] for one in (stored, held, *died) if one.get("recipient")), "")
    found = await sessions.route(sessions.collection(database), [recipient]) if recipient else {}
    return NotificationFacts(
        id=id_,
        recipient=recipient,
        stored=stored,
        held=held,
        deaths=died_as,
        replaced_by=await _replaced_by(database, stored) if stored.get("state") == State.COLLAPSED else "",
        mailboxes=sorted(found.get(recipient, ())),
        placings=await topics.placings(
            topics.collection(database), [*(names.notifications(lane) for lane in LANES), names.scheduled]
        ),
    )


def _use(use: Document) -> tuple[datetime, str, str, str]:
    return use["at"], use["reason"], use["detail"], use["place"]


async def _replaced_by(database: Database, collapsed: Document) -> str:
    """Return the id of the notification that came next under the same key; empty when it was purged or read since.

    The query goes through what the recipient has under that key and is unread, for which there is an index.
    """
    query: Document = {
        "recipient": collapsed["recipient"],
        "lane": collapsed["lane"],
        "collapse_key": collapsed["collapse_key"],
        "ord": {"$gt": collapsed["ord"]},
        "unread": True,
    }
    found = await notifications.collection(database).find_one(query, ["_id"], sort=[("ord", ASCENDING)])
    return found["_id"] if found else ""
