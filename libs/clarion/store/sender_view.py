"""The sender's view: one notification, from whichever collection has it."""

from typing import Final

from clarion.contracts.lanes import Lane
from clarion.contracts.status import DeadUse, State, Status
from clarion.store import deaths, notifications, scheduled
from clarion.store.database import Database, Document
from clarion.store.failures import asked
from clarion.store.scheduled import Held

_TIMES: Final = ("deliver_at", "expires_at", "delivered_at", "read_at", "expired_at", "collapsed_at", "retracted_at")
_SHARED: Final = ["recipient", "sender", "type", "lane", "state", "created_at"]


@asked
async def find(database: Database, id_: str, sender: str | None) -> Status | None:
    """What became of a notification; None unless it is stored, or died, and by `sender` (None: by anybody).

    Raises one of `database.TRANSIENT`.
    """
    found = await _stored(database, id_, sender)
    died = await deaths.find(deaths.collection(database), id_, found.sender if found else sender)
    if died and found is None:
        found = _status(died[-1] | {"_id": id_}, State.DEAD)
    if found is not None:
        found.dead = [DeadUse(use["at"], use["reason"], use["detail"]) for one in died for use in one["uses"]]
    return found


async def _stored(database: Database, id_: str, sender: str | None) -> Status | None:
    query: Document = {"_id": id_, "sender": {"$exists": True} if sender is None else sender}
    if found := await notifications.collection(database).find_one(query, [*_SHARED, *_TIMES]):
        return _status(found, State(found["state"]))
    if held := await scheduled.collection(database).find_one(query, [*_SHARED, *_TIMES, "due"]):
        retracted = held["state"] == Held.RETRACTED
        # one that is released is on its way into its lane
        return _status(held | {"deliver_at": held["due"]}, State.RETRACTED if retracted else State.SCHEDULED)
    return None


def _status(document: Document, state: State) -> Status:
    return Status(
        id=document["_id"],
        recipient=document["recipient"],
        sender=document["sender"],
        type=document["type"],
        priority=Lane(document["lane"]),
        state=state,
        created_at=document["created_at"],
        **{name: document[name] for name in _TIMES if name in document},
    )
