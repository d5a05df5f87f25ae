"""Notification ids. Every id is deterministic from what a repeat has in common, so that a repeat is a duplicate key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import msgspec
import uuid_utils

from clarion.contracts import limits

ID_CHARS: Final = 36
UUID_SHAPE: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
# What others may write (Swift writes upper case). It is the same id: every door makes it `canonical`; only then is
# it compared, stored, or handed on.
UUID_PATTERN: Final = (
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}" + limits.END
)
_DIGITS: Final = b"0123456789abcdef"
_SHAPES: Final = bytes(ord("x" if n in _DIGITS else "-" if n == ord("-") else "?") for n in range(256))
_UUID: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
_NAMESPACE: Final = UUID("6f1c2f0e-5f0b-5d0a-9c11-0c1a51000001")


def new_id(due: datetime | None = None) -> str:
    """A UUIDv7 (RFC 9562): ordered by time, so that index inserts stay local.

    Of what is to be delivered later it tells when it is due: from then it is stored and its delivery is timed.
    """
    return str(uuid_utils.uuid7() if due is None else uuid_utils.uuid7(nanoseconds=int(due.timestamp() * 1e9)))


def idempotent_id(sender: str, recipient: str, key: str) -> str:
    """The id of whatever `sender` publishes to one `recipient` under an idempotency key: the same one each time.

    Senders retry across an upgrade: what is derived here must never change.
    """
    return _derived(["key", sender, recipient, key])


def fan_out_id(sender: str, recipient: str, key: str) -> str:
    """The same for a request to many recipients. It has ids of its own: its key may be that of a request to one."""
    return _derived(["fan-out", sender, recipient, key])


def line_id(sender: str, recipient: str, key: str, line: int) -> str:
    """The same for a line of a batch, which no key that a client chooses can lead to."""
    return _derived(["line", sender, recipient, key, line])


def record_id(topic: str, generation: int, partition: int, offset: int) -> str:
    """The id of a direct producer's record that came without one.

    The topic's generation is part of it: a topic made anew counts its offsets from 0 again.
    """
    return _derived(["record", topic, generation, partition, offset])


def canonical(ids: Sequence[str]) -> list[str]:
    """In lower case, as RFC 9562 has it."""
    return [id_.lower() for id_ in ids]


def is_uuid(text: str) -> bool:
    """Whether it is a canonical id, for less than half of what a pattern takes."""
    return text.encode().translate(_SHAPES) == _UUID and text[14] in "12345678" and text[19] in "89ab"


def are_uuids(texts: Sequence[str]) -> bool:
    """As `is_uuid` of each of them, for a fraction: receipts and deliveries have hundreds."""
    if any(len(text) != ID_CHARS for text in texts):
        return False
    joined = "".join(texts).encode("ascii", "replace")
    return (
        joined.translate(_SHAPES) == _UUID * len(texts)
        and not joined[14::ID_CHARS].strip(b"12345678")
        and not joined[19::ID_CHARS].strip(b"89ab")
    )


def _derived(parts: list[str | int]) -> str:
    return str(uuid5(_NAMESPACE, msgspec.json.encode(parts).decode()))
