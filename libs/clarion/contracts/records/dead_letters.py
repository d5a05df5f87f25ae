"""Records on `dead-letters`: the original value, cut at DEAD_LETTER_BYTES, and headers that say why and where from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from clarion.contracts import ids, limits
from clarion.contracts.times import rfc3339


class Reason(StrEnum):
    """Why a record can never be processed; `docs/errors.md` says what to do about each."""

    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    ID_CONFLICT = "id_conflict"
    UNSTORABLE = "unstorable"
    TOO_LARGE = "too_large"  # for the topic to which it has to be sent
    UNREADABLE = "unreadable"  # a whole record batch that cannot be unpacked
    FOREIGN = "foreign"  # a record on `dead-letters` itself that none of Clarion's processes has written


Headers = Sequence[tuple[str, bytes]]

OWN: Final = frozenset(
    {
        *("reason", "error", "topic", "partition", "offset", "attempts", "first_seen", "last_seen", "sha256"),
        *("left_out", "letter", "replays"),
    }
)
ORIGINAL: Final = "original-"  # put before a record's own header that has the name of one of ours
_ATTEMPTS_MOST: Final = 1_000_000
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REASONS: Final = frozenset(reason.encode() for reason in Reason)
_TOPIC: Final = r"[A-Za-z0-9._-]{1,249}"
_DIGEST_CHARS: Final = 8
ID_PATTERN: Final = rf"^{_TOPIC}/-?[0-9]{{1,10}}/-?[0-9]{{1,19}}/[0-9a-f]{{{_DIGEST_CHARS}}}{limits.END}"
_ID: Final = re.compile(ID_PATTERN)
_COUNT_MOST: Final = 9_999_999  # what `before` reads of a count of attempts has at most seven digits


@dataclass(frozen=True, slots=True)
class Before:
    """What the headers of a record say that was a dead letter before, and was played again.

    `letter` is the id of the kept letter from which `clarion dlq` or the console has replayed it, for the `replays`th
    time; it is empty when somebody else has.
    """

    attempts: int
    first_seen: datetime
    letter: str = ""
    replays: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be processed as it is, where it was, and why. `own` are the headers it came with."""

    value: bytes
    key: bytes | None
    reason: Reason
    error: str
    topic: str
    partition: int
    offset: int
    attempts: int
    first_seen: datetime
    last_seen: datetime
    own: Headers = ()

    def payload(self) -> bytes:
        """Return the value, cut at DEAD_LETTER_BYTES."""
        return self.value[: limits.DEAD_LETTER_BYTES]

    def partition_key(self) -> bytes | None:
        """Return the key, cut at DEAD_LETTER_KEY_BYTES."""
        return self.key and self.key[: limits.DEAD_LETTER_KEY_BYTES]

    def headers(self) -> Headers:
        """Return our headers, then the record's own. A record that was played again loses those of its last death."""
        known = before(self.own, self.last_seen)
        first_seen = min(known.first_seen, self.first_seen) if known else self.first_seen
        facts = {
            "reason": self.reason,
            "error": self.error[: limits.DEAD_LETTER_ERROR_CHARS],
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "attempts": str(self.attempts + (known.attempts if known else 0)),
            "first_seen": rfc3339(first_seen),
            "last_seen": rfc3339(self.last_seen),
            "sha256": sha256(self.value).hexdigest(),
        }
        kept, left_out = _kept([(name, content) for name, content in self.own if known is None or name not in OWN])
        if left_out:
            facts["left_out"] = str(left_out)
        if known and known.letter:
            facts |= {"letter": known.letter, "replays": str(known.replays)}
        return [*((name, fact.encode()) for name, fact in facts.items()), *kept]


def before(headers: Headers, now: datetime) -> Before | None:
    """Return what the headers say of earlier deaths, or None.

    None is also returned for a record that never was a dead letter, but has headers of the same names.
    """
    found: Mapping[str, bytes] = dict(headers)
    attempts, first_seen = found.get("attempts") or b"", _moment(found.get("first_seen") or b"")
    if found.get("reason") not in _REASONS or "sha256" not in found or not attempts.isdigit() or len(attempts) > 7:
        return None
    if first_seen is None or not _UNIX_EPOCH <= first_seen <= now:
        return None
    letter, replays = (found.get("letter") or b"").decode(errors="replace"), found.get("replays") or b""
    if not _ID.match(letter) or not replays.isdigit() or len(replays) > 7:
        letter, replays = "", b"0"
    return Before(min(int(attempts), _ATTEMPTS_MOST), first_seen, letter, int(replays))


def made_id(headers: Headers, topic: str, began: int, partition: int, offset: int, now: datetime) -> str:
    """Return the id of a record that has none: made of the dead letter it was replayed from, else of its place.

    `began` is the generation in which the topic was made.
    """
    known = before(headers, now) if headers else None
    return ids.replayed_id(known.letter) if known and known.letter else ids.record_id(topic, began, partition, offset)


class Facts(msgspec.Struct, frozen=True):
    """What our headers say of a record on `dead-letters`. `letter` and `replays` are as in `Before`."""

    reason: Reason
    error: Annotated[str, Meta(max_length=limits.DEAD_LETTER_ERROR_CHARS)]
    topic: Annotated[str, Meta(pattern=f"^{_TOPIC}{limits.END}")]
    partition: Annotated[int, Meta(ge=-1, lt=1 << 31)]
    offset: Annotated[int, Meta(ge=-1, lt=1 << 62)]
    attempts: Annotated[int, Meta(ge=0, le=_COUNT_MOST)]
    first_seen: Annotated[datetime, Meta(tz=True)]
    last_seen: Annotated[datetime, Meta(tz=True)]
    sha256: Annotated[str, Meta(pattern=f"^[0-9a-f]{{64}}{limits.END}")]
    left_out: Annotated[int, Meta(ge=0, le=_COUNT_MOST)] = 0
    letter: Annotated[str, Meta(pattern=ID_PATTERN)] | None = None
    replays: Annotated[int, Meta(ge=0, le=_COUNT_MOST)] = 0


def facts(headers: Headers) -> Facts | None:
    """Return what our headers say; None of a record that none of Clarion's processes has written."""
    found = {name: (content or b"").decode(errors="replace") for name, content in headers if name in OWN}
    try:
        read = msgspec.convert(found, Facts, strict=False)
    except msgspec.ValidationError:
        return None
    return read if _exists(read.first_seen) and _exists(read.last_seen) else None


def _exists(moment: datetime) -> bool:
    """Return whether a moment is from 1970 to 9999 in UTC."""
    try:
        return moment.astimezone(UTC) >= _UNIX_EPOCH
    except (OverflowError, ValueError):
        return False


def letter_id(topic: str, partition: int, offset: int, sha256: str) -> str:
    """Return the id under which the dead letter of the record at that place is kept.

    A process that crashes may write the dead letter of a record twice: both have the same place, and so make one
    letter. The digest of the value tells apart what was at that place in a topic that was made anew, and records that
    Kafka refused, whose offset is -1.
    """
    return f"{topic}/{partition}/{offset}/{sha256[:_DIGEST_CHARS]}"


def replay_headers(known: Facts, letter: str, replays: int, own: Headers) -> Headers:
    """Return the headers of a record that is replayed from `letter`: its history, and its `own`.

    Their size does not grow from replay to replay. Where the lane's limit leaves no room for all of them, the text of
    the error is shortened.
    """
    told = {
        "reason": known.reason,
        "error": known.error,
        "topic": known.topic,
        "partition": str(known.partition),
        "offset": str(known.offset),
        "attempts": str(min(known.attempts, _ATTEMPTS_MOST)),
        "first_seen": rfc3339(known.first_seen),
        "last_seen": rfc3339(known.last_seen),
        "sha256": known.sha256,
        "letter": letter,
        "replays": str(replays),
    }
    history = {name: fact.encode() for name, fact in told.items()}
    over = size_of([*history.items(), *own]) - limits.HEADERS_BYTES
    if over > 0:
        history["error"] = history["error"][: max(0, len(history["error"]) - over)]
    return [*history.items(), *own]


def size_of(headers: Headers) -> int:
    """Return how many bytes names and contents of `headers` have."""
    return sum(len(name.encode()) + len(content or b"") for name, content in headers)


def _moment(text: bytes) -> datetime | None:
    try:
        return msgspec.convert(text.decode(), Annotated[datetime, Meta(tz=True)])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _kept(headers: Headers) -> tuple[Headers, int]:
    """Return a record's own headers, renamed where ours have that name, and how many there is no room for."""
    return within([(ORIGINAL + name if name in OWN else name, content) for name, content in headers])


def within(headers: Headers) -> tuple[Headers, int]:
    """Return the first headers, HEADERS_BYTES of them at most, and how many are left out."""
    kept: list[tuple[str, bytes]] = []
    size = 0
    for name, content in headers:
        size += len(name.encode()) + len(content or b"")
        if size > limits.HEADERS_BYTES:
            break
        kept.append((name, content))
    return kept, len(headers) - len(kept)
