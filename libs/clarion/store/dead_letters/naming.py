"""Reads whose notification is in a record that may have anything wrong with it. Pure."""

import re
from typing import Any, Final

import msgspec

from clarion.contracts import limits, names
from clarion.contracts.ids import is_uuid
from clarion.store.dead_letters.letters import Named

_TYPE: Final = re.compile(limits.TYPE_PATTERN)
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])  # not what is in them, however deep that nests


def named(value: bytes, key: bytes | None) -> Named:
    """Return what is known: of fields that cannot be read, nothing.

    The recipient is also taken from the key, by which every topic of notifications and receipts is placed.
    """
    try:
        fields = _fields.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = {}
    id_, type_ = (_text(fields.get("id")) or "").lower(), _text(fields.get("type")) or ""
    return Named(
        notification=id_ if is_uuid(id_) else None,
        recipient=_name(fields.get("recipient")) or _name(fields.get("user")) or _plain(_decoded(key)),
        sender=_name(fields.get("sender")),
        type=type_ if _TYPE.match(type_) else None,
    )


def _name(raw: msgspec.Raw | None) -> str | None:
    return _plain(_text(raw))


def _plain(name: str | None) -> str | None:
    return None if name is None or names.fault_of(name) else name


def _text(raw: msgspec.Raw | None) -> str | None:
    try:
        found: Any = None if raw is None else msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def _decoded(key: bytes | None) -> str | None:
    try:
        return key.decode() if key else None
    except UnicodeDecodeError:
        return None
