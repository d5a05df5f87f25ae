"""The indexes of stored notifications, each for queries or a purge of its own. Their cost for an insert is measured."""

from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel

from clarion.contracts.api.status import State

IN_INBOX: Final = {"$type": "bool"}  # for `unread`, which is null once a notification has left its user's inbox
UNREAD_PURGE: Final = "unread_purge"
WAITING_SINCE: Final = "waiting_since"
PURGE: Final = "purge"
INDEXES: Final = [
    IndexModel(
        # `state` has one value here. Without it in the keys, a query for that value would have to read the documents.
        # `stored_at` is there for the observer, who would have to read each document to know how old it is.
        [
            ("recipient", ASCENDING),
            ("state", ASCENDING),
            ("lane", ASCENDING),
            ("ord", ASCENDING),
            ("stored_at", ASCENDING),
        ],
        name=WAITING_SINCE,
        partialFilterExpression={"state": State.PENDING},
    ),
    IndexModel(
        [("recipient", ASCENDING), ("delivered_at", DESCENDING), ("lane", ASCENDING), ("ord", ASCENDING)],
        name="delivered_since",
        partialFilterExpression={"delivered_at": {"$exists": True}},  # costs an insert nothing
    ),
    # Unread notifications are counted without reading documents. A page with the read ones asks for `unread` in
    # [true, false], and the server merges the two ranges.
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
        # `ord` at the end tells it from others: a server takes two indexes of the same fields for one, whatever their
        # filters
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
    # For what is unread and about to be purged. `purge` also has what was read, an hour of it at every look. New
    # entries go to the end, which is the cheapest place, and an entry goes when its notification is read.
    IndexModel(
        [("unread", ASCENDING), ("purge_at", ASCENDING)],
        name=UNREAD_PURGE,
        partialFilterExpression={"unread": True},
    ),
    IndexModel([("purge_at", ASCENDING)], name=PURGE, expireAfterSeconds=0),
]
# Indexes of earlier versions, which are dropped once those above are made.
RETIRED_INDEXES: Final = ["collapse", "inbox_unread", "archive", "waiting"]
