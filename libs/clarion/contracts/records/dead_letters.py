"""Records on `dead-letters`: the original value, cut at DEAD_LETTER_BYTES, and headers that say why and where from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from clarion.contracts import limits
from clarion.contracts.times import rfc3339


class Reason(StrEnum):
    """Why a record can never be processed; `docs/errors.md` says what to do about each."""

    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    ID_CONFLICT = "id_conflict"
    UNSTORABLE = "unstorable"
    TOO_LARGE = "too_large"  # for the topic to which it has to be sent
    UNREADABLE = "unreadable"  # a whole record batch that cannot be unpacked


Headers = Sequence[tuple[str, bytes]]

OWN: Final = frozenset(
    ("reason", "error", "topic", "partition", "offset", "attempts", "first_seen", "last_seen", "sha256", "left_out")
)
ORIGINAL: Final = "original-"  # put before a record's own header that has the name of one of ours
_ATTEMPTS_MOST: Final = 1_000_000
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REASONS: Final = frozenset(reason.encode() for reason in Reason)


@dataclass(frozen=True, slots=True)
class Before:
    """What the headers of a record say that was a dead letter before, and was played again."""

    attempts: int
    first_seen: datetime


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
            "error": self.error[:1_000],
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
    return Before(min(int(attempts), _ATTEMPTS_MOST), first_seen)


def _moment(text: bytes) -> datetime | None:
    try:
        return msgspec.convert(text.decode(), Annotated[datetime, Meta(tz=True)])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _kept(headers: Headers) -> tuple[Headers, int]:
    """Return a record's own headers, renamed where ours have that name, and how many there is no room for."""
    kept: list[tuple[str, bytes]] = []
    size = 0
    for name, content in headers:
        named = ORIGINAL + name if name in OWN else name
        size += len(named.encode()) + len(content or b"")
        if size > limits.HEADERS_BYTES:
            break
        kept.append((named, content))
    return kept, len(headers) - len(kept)
