"""The indexes of stored notifications, each with the read it is for. What they cost an insert is measured."""

from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel

from clarion.contracts.api.status import State

IN_INBOX: Final = {"$type": "bool"}  # of `unread`: null once a notification has left its user's inbox
UNREAD_PURGE: Final = "unread_purge"
INDEXES: Final = [
    IndexModel(
        # the state is always the same here; without it a query for it would have to look into the documents
        [("recipient", ASCENDING), ("state", ASCENDING), ("lane", ASCENDING), ("ord", ASCENDING)],
        name="waiting",
        partialFilterExpression={"state": State.PENDING},
    ),
    IndexModel(
        [("recipient", ASCENDING), ("delivered_at", DESCENDING), ("lane", ASCENDING), ("ord", ASCENDING)],
        name="delivered_since",
        partialFilterExpression={"delivered_at": {"$exists": True}},  # costs an insert nothing
    ),
    # counts what is unread without reading documents; a page of all asks for `unread` in [true, false], and merges
    IndexModel(
        [("recipient", ASCENDING), ("unread", ASCENDING), ("available_at", DESCENDING), ("_id", DESCENDING)],
        name="inbox",
    ),
    IndexModel(
        [("recipient", ASCENDING), ("available_at", DESCENDING), ("_id", DESCENDING)],
        name="archived",
        partialFilterExpression={"archived": True},  # costs an insert nothing
    ),
    IndexModel(
        [("expires_at", ASCENDING)],
        name="lapsing",
        partialFilterExpression={"unread": IN_INBOX, "expires_at": {"$exists": True}},
    ),
    IndexModel(
        # ends with `ord`, since a server takes two indexes of the same fields for one, whatever their filters
        [("recipient", ASCENDING), ("lane", ASCENDING), ("collapse_key", ASCENDING), ("ord", ASCENDING)],
        name="replaceable",
        partialFilterExpression={"unread": True, "collapse_key": {"$exists": True}},
    ),
    IndexModel([("unannounced", ASCENDING)], name="unannounced", partialFilterExpression={"unannounced": True}),
    IndexModel(
        [("deferred", ASCENDING), ("stored_at", ASCENDING)],
        name="deferred",
        partialFilterExpression={"deferred": True},  # costs an insert nothing; see `updates/deferred.py`
    ),
    # What is unread and about to be purged: `purge` has also what was read, an hour of it at every look. New entries go
    # to the end, the cheapest place; one goes when its notification is read.
    IndexModel(
        [("unread", ASCENDING), ("purge_at", ASCENDING)],
        name=UNREAD_PURGE,
        partialFilterExpression={"unread": True},
    ),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
# Of earlier versions: dropped once those above are made.
RETIRED_INDEXES: Final = ["collapse", "inbox_unread", "archive"]
