"""Dead letters over HTTP and from the command line: how they are chosen, shown, edited, replayed and purged."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clarion.contracts import limits
from clarion.contracts.api.contents import Content, Header
from clarion.contracts.records.dead_letters import Reason

_Text = Annotated[str, Meta(min_length=1, max_length=300)]
_Moment = Annotated[datetime, Meta(tz=True)]


class Filter(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which letters are meant: those for which all that is given holds.

    `topic` is that of the record, without `CLARION_PREFIX`. `since` and `until` are about the last death; `until` is
    not part of the time. `notification` is an id. Sender, recipient and id are known only of records in which they can
    be read.
    """

    reason: Reason | None = None
    topic: _Text | None = None
    since: _Moment | None = None
    until: _Moment | None = None
    sender: _Text | None = None
    recipient: _Text | None = None
    notification: _Text | None = None


class Chosen(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which letters to replay or to purge: the `ids`, those of a `filter`, or `all`.

    With `dry_run` nothing is changed. `again` replays also letters that were replayed before and have not died since.
    `after` is the `next` of the answer before.
    """

    ids: Annotated[list[_Text], Meta(max_length=limits.DEAD_LETTERS_MOST)] = []
    filter: Filter | None = None
    all: bool = False
    dry_run: bool = False
    again: bool = False
    after: str | None = None
    most: Annotated[int, Meta(ge=1, le=limits.DEAD_LETTERS_MOST)] = limits.DEAD_LETTERS_MOST


class Edit(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a letter's replays send instead of what the record had. What is left out stays as it is.

    `no_key` removes the key. `undo` alone takes all edits back.
    """

    value: Content | None = None
    key: Content | None = None
    headers: list[Header] | None = None
    no_key: bool = False
    undo: bool = False


class Death(msgspec.Struct):
    """One death of a letter: when, why, and at which place the record was (topic/partition/offset)."""

    at: str
    reason: str
    error: str
    place: str
    replays: int


class Send(msgspec.Struct, omit_defaults=True):
    """One replay of a letter: when, by whom, and at which place Kafka has it, or why that is not so."""

    at: str
    by: str
    replays: int
    place: str | None = None
    error: str | None = None


class Summary(msgspec.Struct):
    """A letter in a list.

    `attempts` counts how often the record was tried, over all replays, and `replays` how often it was replayed.
    `obstacle` says why it cannot be replayed; it is null of one that can be.
    """

    id: str
    state: str
    at: str
    reason: str
    error: str
    topic: str
    partition: int
    offset: int
    attempts: int
    replays: int
    first_seen: str
    last_seen: str
    size: int
    edited: bool
    notification: str | None
    recipient: str | None
    sender: str | None
    type: str | None
    obstacle: str | None


class Page(msgspec.Struct):
    """A page of letters, newest first. `next` is the cursor of the next page, null on the last one."""

    items: list[Summary]
    next: str | None = None


class Record(msgspec.Struct):
    """Value, key and headers of a record."""

    value: Content
    key: Content | None
    headers: list[Header]


class Details(Summary):
    """A letter with its content.

    `original` is what the record had, cut at 512 KiB; `replayed` is what a replay sends, and `fault` is what is still
    wrong with that as far as its contract tells. Of deaths and replays the last ten are told.
    """

    original: Record
    replayed: Record
    fault: str | None
    edited_by: str | None
    edited_at: str | None
    left_out: int
    sha256: str
    deaths: list[Death]
    sends: list[Send]
    purge_at: str


class Result(msgspec.Struct, omit_defaults=True):
    """What became of one letter: it is `done` or not, and `detail` says how or why."""

    id: str
    done: bool
    detail: str


class Results(msgspec.Struct):
    """What became of the letters that were chosen.

    `passed_over` died again so often that only their names have them replayed. With `next`, there are more: repeat the
    request with it as `after`. It is `stopped` when Kafka did not answer.
    """

    done: int
    failed: int
    passed_over: int
    results: list[Result]
    next: str | None = None
    stopped: bool = False


class Purged(msgspec.Struct):
    """How many letters were purged, or would be. With `next`, there are more: repeat the request with it as `after`."""

    purged: int
    next: str | None = None
