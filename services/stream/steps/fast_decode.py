"""Decode one record into its notification; if it is plainly good, at a third of what `notification.decode` costs.

"Plainly good" is narrower than "valid". Every doubt is left to `notification.decode`, which also says what is wrong, so
both accept the same records.
"""

from functools import lru_cache
from re import compile as pattern
from typing import Final

import msgspec

from clarion.contracts import limits, names, visible
from clarion.contracts.ids import is_uuid
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification

_is_type: Final = lru_cache(1024)(pattern(limits.TYPE_PATTERN).search)


class _Unmatched(Notification, kw_only=True, omit_defaults=True, gc=False):
    """A notification whose `type` and `id` have no patterns: matching those takes two thirds of decoding."""

    type: str
    id: str | None = None


_decoder: Final = msgspec.json.Decoder(_Unmatched)


def decode(value: bytes) -> Notification:
    """Return the notification, like `notification.decode`. Raise `Invalid`, and nothing else."""
    try:
        item = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return notification.decode(value)  # says what is wrong
    is_plain = (
        notification.is_harmless(value, item.data)  # first, so that `_is_type` remembers only small texts
        and (item.id is None or is_uuid(item.id))
        and _is_type(item.type)
        and names.is_plain(item.recipient)
        and names.is_plain(item.sender)
        and visible.shows_something(item.message)
        and notification.is_in_utc(item)
    )
    return item if is_plain else notification.decode(value)
