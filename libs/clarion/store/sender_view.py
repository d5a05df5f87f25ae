"""The sender's view: one notification, from whichever collection has it."""

from typing import Final

from clarion.contracts.lanes import Lane
from clarion.contracts.status import State, Status
from clarion.store import notifications
from clarion.store.database import Database, Document

_TIMES: Final = ("deliver_at", "expires_at", "delivered_at", "read_at", "expired_at", "collapsed_at", "retracted_at")
_FIELDS: Final = ["recipient", "sender", "type", "lane", "state", "created_at", *_TIMES]


async def find(database: Database, id_: str, sender: str | None) -> Status | None:
    """What became of a notification; None unless it is stored, and by `sender` (None: by anybody).

    Raises one of `database.TRANSIENT`.
    """
    query: Document = {"_id": id_, "sender": {"$exists": True} if sender is None else sender}
    found = await notifications.collection(database).find_one(query, _FIELDS)
    return _status(found) if found else None


def _status(document: Document) -> Status:
    return Status(
        id=document["_id"],
        recipient=document["recipient"],
        sender=document["sender"],
        type=document["type"],
        priority=Lane(document["lane"]),
        state=State(document["state"]),
        created_at=document["created_at"],
        **{name: document[name] for name in _TIMES if name in document},
    )
