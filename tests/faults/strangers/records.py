"""Records as strangers write them, each with what must become of it. Pure: a seeded generator makes the choices."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import HEADERS_BYTES, MESSAGE_CHARS, RECORD_BYTES
from clarion.contracts.topics import Names
from tests.faults.account import Said

USERS: Final = [f"stranger-{n}" for n in range(20)]
_FIRST_MS: Final = 0
_LAST_MS: Final = int(datetime(2100, 12, 31, tzinfo=UTC).timestamp() * 1000)
_SCHEMA_REGISTRY: Final = b"\x00\x00\x00\x00\x2a"  # Confluent's wire format: a magic byte and the id of a schema


@dataclass(frozen=True, slots=True)
class Record:
    """A record to send. `partition` -1 leaves the choice to the client, `timestamp` 0 its clock.

    It goes to its lane's topic, or to `topic`, a name without the prefix.
    """

    lane: Lane
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0
    partition: int = -1
    topic: str = ""

    def topic_at(self, names: Names) -> str:
        return f"{names.prefix}{self.topic}" if self.topic else names.notifications(self.lane)


NOBODY: Final = Said("", "")


@dataclass(frozen=True, slots=True)
class Good(Record):
    """A record that is odd and valid: it is delivered, once, as `said`."""

    id: str = ""
    said: Said = NOBODY


@dataclass(frozen=True, slots=True)
class Bad(Record):
    """A record that cannot be processed: it becomes one dead letter with one of `reasons`, whose error says `names`."""

    kind: str = ""
    reasons: tuple[str, ...] = ("undecodable", "invalid")
    names: str = ""


@dataclass(frozen=True, slots=True)
class Junk(Record):
    """A record of a mailbox that says nothing: it costs nobody anything, and nobody is told."""


def valid(chance: random.Random, user: str = "", lanes: Sequence[Lane] = LANES, **changed: Any) -> Good:
    """A valid notification to a stranger, or to `user`, through one of `lanes`, with `changed` fields of its JSON."""
    user, lane, id_ = user or chance.choice(USERS), chance.choice(lanes), new_id()
    said = Said(user, f"from a stranger: {chance.randrange(10**9)}")
    fields = {"id": id_, "type": "strange", "message": said.message, "recipient": user, "sender": "stranger"}
    value = msgspec.json.encode(fields | {"priority": lane} | changed)
    return Good(lane, value, key=user.encode(), id=id_, said=said)


def odd(chance: random.Random, partitions: int) -> Iterator[Good]:
    """Valid records with keys, partitions, headers and timestamps that no client of ours would give them."""
    for number in itertools.count():
        one = valid(chance)
        yield (
            _changed(one, key=None),
            _changed(one, key=b"\xff\xfe not a name"),
            _changed(one, partition=chance.randrange(partitions)),
            _changed(one, headers=(("traceparent", b"\xff\xfe\xfd"), ("", b""), ("größe", "ü".encode("latin-1")))),
            _changed(one, headers=tuple((f"header-{n}", b"x" * 20) for n in range(200))),
            _changed(one, timestamp=chance.randint(_FIRST_MS + 1, _LAST_MS)),
            _changed(one, timestamp=int(datetime.now(UTC).timestamp())),  # seconds where milliseconds belong
        )[number % 7]


def bad(chance: random.Random) -> Iterator[Bad]:
    """Records that nobody can deliver, a kind after the other."""
    kinds: tuple[Callable[[random.Random], Bad], ...] = (
        lambda _: _bad("tombstone", None, "tombstone"),
        lambda _: _bad("empty", b""),
        lambda c: _bad("noise", c.randbytes(c.randint(1, 500))),
        lambda c: _bad("cut JSON", (valid(c).value or b"")[:-3]),
        lambda _: _bad("not UTF-8", b'{"type":"x","message":"\xff\xfe","recipient":"a","sender":"b"}'),
        lambda c: _bad("schema registry", _SCHEMA_REGISTRY + (valid(c).value or b"")),
        lambda c: _bad("an array", b"[" + (valid(c).value or b"") + b"]"),
        lambda c: _wrong(c, "type", "type", type="Not A Type!"),
        lambda c: _wrong(c, "no recipient", "recipient", recipient=None),
        lambda c: _wrong(c, "long message", "message", message="m" * (MESSAGE_CHARS + 1)),
        lambda c: _wrong(c, "blank message", "message", message="\u200b\u3164 \u2800"),
        lambda c: _wrong(c, "unknown priority", "priority", priority="yesterday"),
        lambda c: _wrong(c, "id", "id", id="{not-a-uuid}"),
        lambda c: _wrong(c, "deep data", "", data=_nested(100)),
        lambda c: _wrong(c, "large data", "", data={"blob": "x" * RECORD_BYTES}),
        lambda c: _wrong(c, "unaddressable", "recipient", recipient=".."),
        lambda c: _wrong(c, "half an emoji", "", raw=rb'"message":"\ud83d"'),
        lambda c: _headers(c),
    )
    for number in itertools.count():
        yield kinds[number % len(kinds)](chance)


def flood(chance: random.Random, count: int) -> Iterator[Bad]:
    """Many bad records of one kind for one lane, as a broken producer sends them."""
    lane = chance.choice(LANES)
    for number in range(count):
        yield Bad(lane, b"not JSON %d" % number, key=b"%d" % (number % 50), kind="flood")


def repeats(chance: random.Random) -> Iterator[Good]:
    """Pairs of the same notification, the second one with its id in upper case: they are one."""
    while True:
        one = valid(chance)
        yield one
        yield _changed(one, value=(one.value or b"").replace(one.id.encode(), one.id.upper().encode()))


def junk_in_mailboxes(chance: random.Random, mailboxes: int) -> Iterator[Junk]:
    """What nothing of ours writes, for every mailbox and both topics."""
    item = {"recipient": "stranger-0", "lane": "low", "ord": [0, 1], "id": "not an id", "body": 5}
    values = (
        *(b"", None, b"[" * 100_000, b"null", b'{"kind":"items"}', b"\xff\xfe"),
        *(_SCHEMA_REGISTRY + b'{"kind":"items","items":[]}', msgspec.json.encode({"kind": "items", "items": [item]})),
        b'{"kind":"control","op":"ack","user":"\\ud800","session":"x","tag":-1}',
    )
    for topic, mailbox in itertools.product(("deliveries", "deliveries.urgent"), range(mailboxes)):
        yield Junk(Lane.LOW, chance.choice(values), topic=topic, partition=mailbox)


def junk_receipts(chance: random.Random) -> Iterator[Bad]:
    """Receipts that cannot be folded: each becomes one dead letter."""
    id_ = new_id()
    late = f'{{"user":"stranger-0","op":"read","ids":["{id_}"],"at":"9999-12-31T23:59:59.999999Z"}}'
    values = (b"{", b"null", b'{"user":"\\ud800"}', late.encode(), _SCHEMA_REGISTRY + late.encode(), b"[" * 100_000)
    for _ in itertools.count():
        yield Bad(Lane.LOW, chance.choice(values), key=b"stranger-0", kind="receipt", topic="receipts")


def _bad(kind: str, value: bytes | None, names: str = "") -> Bad:
    return Bad(Lane.NORMAL, value, key=b"strange", kind=kind, names=names)


def _wrong(chance: random.Random, kind: str, names: str, *, raw: bytes = b"", **changed: Any) -> Bad:
    one = valid(chance, **changed)
    value = one.value or b""
    if raw:
        value = value.replace(b'"message":', raw + b',"was":', 1)
    return Bad(one.lane, value, key=one.key, kind=kind, names=names)


def _headers(chance: random.Random) -> Bad:
    one = valid(chance)
    return Bad(
        one.lane, one.value, key=one.key, headers=(("x-large", b"h" * (HEADERS_BYTES + 1)),), kind="large headers"
    )


def _changed(one: Good, **changed: Any) -> Good:
    return replace(one, **changed)


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value
