"""The collection of dead letters: what a letter is, where it stands, and its indexes.

There is one letter for each record that died, whatever becomes of it afterwards: a replay that dies again is the same
letter, which then counts one more death. `_id` is `letter_id` of the record's place.

Beside what its headers say, a letter has `value`, `key` and `headers` (the record's own), what is known of the
notification in it (`notification`, `recipient`, `sender`, `type`), `replays` (how often it was replayed), `sent` (what
tells its last replay), `deaths` and `sends` (the last `HISTORY` of each), and `edited` once somebody has changed what
is replayed. `claim` and `claimed_at` name the replay that is under way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel

from clarion.contracts import limits
from clarion.contracts.records.dead_letters import Facts, Headers, Reason
from clarion.store.driver.database import Collection, Database, Document


class State(StrEnum):
    """Where a letter stands."""

    KEPT = "kept"  # nobody has replayed it since it died
    REPLAYING = "replaying"  # a replay is under way, or was interrupted
    REPLAYED = "replayed"  # Kafka has its replay, which has not died so far


def _of(field: str) -> Document:
    """Return the filter of an index that has only the letters with this field."""
    return {"partialFilterExpression": {field: {"$exists": True}}}


_NEWEST: Final = [("at", DESCENDING), ("_id", DESCENDING)]
INDEXES: Final = [
    IndexModel([("state", ASCENDING), *_NEWEST], name="state"),
    IndexModel([("state", ASCENDING), ("reason", ASCENDING), *_NEWEST], name="reason"),
    IndexModel([("topic", ASCENDING), *_NEWEST], name="topic"),
    IndexModel([("recipient", ASCENDING), *_NEWEST], name="recipient", **_of("recipient")),
    IndexModel([("sender", ASCENDING), *_NEWEST], name="sender", **_of("sender")),
    IndexModel([("notification", ASCENDING), *_NEWEST], name="notification", **_of("notification")),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]

KEEP: Final = timedelta(days=limits.KEEP_DAYS)  # as long as Kafka keeps the topic
HISTORY: Final = 10
HEAVY: Final = ("value", "headers", "edited.value", "edited.headers")  # fields that a list of letters leaves out


@dataclass(frozen=True, slots=True)
class Content:
    """What is replayed of a letter: value, key and headers of a record."""

    value: bytes
    key: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Named:
    """What is known of the notification in a record, where it can be read."""

    notification: str | None = None
    recipient: str | None = None
    sender: str | None = None
    type: str | None = None

    def fields(self) -> Document:
        """Return the fields that are known."""
        known = {name: getattr(self, name) for name in ("notification", "recipient", "sender", "type")}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Death:
    """What a record on the topic of dead letters says. It came `at` that moment, by the broker's clock.

    `id` is of the letter that it makes, unless it belongs to the letter that `facts` name. A value that is not `whole`
    was cut.
    """

    id: str
    at: datetime
    facts: Facts
    content: Content
    named: Named
    whole: bool


@dataclass(frozen=True, slots=True)
class Edited:
    """What somebody has edited. It is `whole` unless its value is still the one that was cut."""

    content: Content
    whole: bool
    notification: str | None
    by: str
    at: datetime


def collection(within: Database) -> Collection:
    """Return the collection of dead letters."""
    return within["dead_letters"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it is stored. `content` is empty in a list; `edited` is what is replayed instead of it."""

    id: str
    state: State
    at: datetime
    facts: Facts
    named: Named
    whole: bool
    size: int
    replays: int
    content: Content
    edited: Edited | None
    deaths: Sequence[Document]
    sends: Sequence[Document]
    claimed_at: datetime | None
    purge_at: datetime

    @property
    def replayed(self) -> Content:
        """Return what a replay sends."""
        return self.edited.content if self.edited else self.content

    @property
    def replays_whole(self) -> bool:
        """Return whether what a replay sends is a whole value, and not one that was cut."""
        return self.edited.whole if self.edited else self.whole


def letter_of(document: Document) -> Letter:
    """Return the letter that a document holds."""
    edited: Document | None = document.get("edited")
    return Letter(
        id=document["_id"],
        state=State(document["state"]),
        at=document["at"],
        facts=Facts(
            reason=Reason(document["reason"]),
            error=document["error"],
            topic=document["topic"],
            partition=document["partition"],
            offset=document["offset"],
            attempts=document["attempts"],
            first_seen=document["first_seen"],
            last_seen=document["last_seen"],
            sha256=document["sha256"],
            left_out=document["left_out"],
        ),
        named=Named(*(document.get(name) for name in ("notification", "recipient", "sender", "type"))),
        whole=document["whole"],
        size=document["size"],
        replays=document["replays"],
        content=content_of(document),
        edited=edited_of(edited) if edited else None,
        deaths=document.get("deaths", []),
        sends=document.get("sends", []),
        claimed_at=document.get("claimed_at"),
        purge_at=document["purge_at"],
    )


def edited_of(fields: Document) -> Edited:
    """Return what somebody has edited."""
    return Edited(content_of(fields), fields["whole"], fields.get("notification"), fields["by"], fields["at"])


def content_of(fields: Document) -> Content:
    """Return the content that is stored in `fields`; what a list left out is empty."""
    headers: list[Any] = fields.get("headers", [])
    return Content(fields.get("value", b""), fields.get("key"), [(name, content) for name, content in headers])


def content_fields(content: Content) -> Document:
    """Return the fields in which a content is stored."""
    return {"value": content.value, "key": content.key, "headers": [list(one) for one in content.headers]}
