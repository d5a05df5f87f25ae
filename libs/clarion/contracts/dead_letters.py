"""Records on `dead-letters`: the original bytes, cut at DEAD_LETTER_BYTES, with headers that say why and where from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from clarion.contracts import limits
from clarion.contracts.times import rfc3339


class Reason(StrEnum):
    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    ID_CONFLICT = "id_conflict"
    UNSTORABLE = "unstorable"
    TOO_LARGE = "too_large"  # for the topic it has to go to


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be processed as it is."""

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

    def payload(self) -> bytes:
        return self.value[: limits.DEAD_LETTER_BYTES]

    def partition_key(self) -> bytes | None:
        return self.key and self.key[: limits.DEAD_LETTER_KEY_BYTES]

    def headers(self) -> Sequence[tuple[str, bytes]]:
        facts = {
            "reason": self.reason,
            "error": self.error[:1_000],
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "attempts": str(self.attempts),
            "first_seen": rfc3339(self.first_seen),
            "last_seen": rfc3339(self.last_seen),
            "sha256": sha256(self.value).hexdigest(),
        }
        return [(name, fact.encode()) for name, fact in facts.items()]
