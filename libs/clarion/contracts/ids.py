"""Notification ids. They are made from what a repeat has in common, so that it is a duplicate key in the store."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import msgspec
import uuid_utils

from clarion.contracts import limits

ID_CHARS: Final = 36
UUID_SHAPE: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
# Others may write upper case, as Swift does, and mean the same id. So whatever takes ids from outside makes them
# `canonical` before it compares, stores or sends them on.
UUID_PATTERN: Final = (
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}" + limits.END
)
_DIGITS: Final = b"0123456789abcdef"
_SHAPES: Final = bytes(ord("x" if n in _DIGITS else "-" if n == ord("-") else "?") for n in range(256))
_UUID: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
_NAMESPACE: Final = UUID("6f1c2f0e-5f0b-5d0a-9c11-0c1a51000001")


def new_id(due: datetime | None = None) -> str:
    """Return a UUIDv7 (RFC 9562): its order is that of time, so that inserts into an index stay local.

    The id of a scheduled notification holds the moment when it is `due`, since it is stored then, and the time that its
    delivery takes counts from then.
    """
    return str(uuid_utils.uuid7() if due is None else uuid_utils.uuid7(nanoseconds=int(due.timestamp() * 1e9)))


def idempotent_id(sender: str, recipient: str, key: str) -> str:
    """Return the id of what `sender` publishes to one `recipient` under an idempotency key: the same one each time.

    Senders repeat requests across an upgrade, so what is derived here must never change.
    """
    return _derived(["key", sender, recipient, key])


def fan_out_id(sender: str, recipient: str, key: str) -> str:
    """Return the id for one recipient of a request to many, whose key may also be that of a request to one."""
    return _derived(["fan-out", sender, recipient, key])


def line_id(sender: str, recipient: str, key: str, line: int) -> str:
    """Return the id for a line of a batch. No key that a client chooses makes the same id."""
    return _derived(["line", sender, recipient, key, line])


def record_id(topic: str, generation: int, partition: int, offset: int) -> str:
    """Return the id for a direct producer's record that has none.

    The topic's generation is part of the id, since a topic that is made anew counts its offsets from 0 again.
    """
    return _derived(["record", topic, generation, partition, offset])


def replayed_id(letter: str) -> str:
    """Return the id of a record that has none and was replayed from a dead letter: the same for each replay of it.

    A replay that was interrupted is repeated, and then the record may be in its topic twice.
    """
    return _derived(["letter", letter])


def canonical(ids: Sequence[str]) -> list[str]:
    """Return the ids in lower case, as RFC 9562 writes them."""
    return [id_.lower() for id_ in ids]


def is_uuid(text: str) -> bool:
    """Return whether the text is a canonical id, in less than half of the time that a pattern takes."""
    return text.encode().translate(_SHAPES) == _UUID and text[14] in "12345678" and text[19] in "89ab"


def are_uuids(texts: Sequence[str]) -> bool:
    """Return whether `is_uuid` holds for each text, in a fraction of the time: a record may have hundreds of ids."""
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
