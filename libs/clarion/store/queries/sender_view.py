"""The sender's view: one notification, from whichever collection has it."""

from typing import Final

from clarion.contracts.api.status import DeadUse, State, Status
from clarion.contracts.lanes import Lane
from clarion.store import deaths, notifications, scheduled
from clarion.store.driver.database import Database, Document
from clarion.store.driver.failures import asked
from clarion.store.scheduled import Held
from clarion.store.updates import stubs

_TIMES: Final = ("deliver_at", "expires_at", "delivered_at", "read_at", "expired_at", "collapsed_at", "retracted_at")
_SHARED: Final = ["recipient", "sender", "type", "lane", "state", "created_at"]


@asked
async def find(database: Database, id_: str, sender: str | None) -> Status | None:
    """Return what became of a notification of `sender`, or of any sender if that is None; None if nothing is known.

    One that was retracted before it is stored is `retracted` for a sender who did so. Raises one of
    `database.TRANSIENT`.
    """
    found = await _stored(database, id_, sender)
    died = await deaths.find(deaths.collection(database), id_, (found and found.sender) or sender)
    if died and found is None:
        found = _status(died[-1] | {"_id": id_}, State.DEAD)
    if found is not None:
        found.dead = [DeadUse(use["at"], use["reason"], use["detail"]) for one in died for use in one["uses"]]
    return found


async def _stored(database: Database, id_: str, sender: str | None) -> Status | None:
    fields = [*_SHARED, *_TIMES, *stubs.FIELDS]
    found = await notifications.collection(database).find_one({"_id": id_}, fields)
    if found and "stub" not in found:
        return _status(found, State(found["state"])) if sender in (None, found["sender"]) else None
    noted = stubs.retraction(found) if found else None
    query: Document = {"_id": id_, "sender": {"$exists": True} if sender is None else sender}
    if held := await scheduled.collection(database).find_one(query, [*_SHARED, *_TIMES, "due"]):
        retracted = held["state"] == Held.RETRACTED or (noted and noted.is_of(held["sender"]))
        # one that is released counts as scheduled: it is on its way into its lane
        return _status(held | {"deliver_at": held["due"]}, State.RETRACTED if retracted else State.SCHEDULED)
    if noted and (sender is None or noted.is_of(sender)):
        return Status(id=id_, state=State.RETRACTED, retracted_at=noted.at)
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
