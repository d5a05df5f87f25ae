"""Cursors of pages: moments and an id as a text that clients hand back unchanged. Pure."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from clarion.contracts.records.notification import Invalid

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SHAPE: Final = re.compile(r"(\d{1,15})\.([ -~]{1,400})")
_CHARS: Final = 600


def encode_cursor(at: datetime, id_: str) -> str:
    """Return the cursor of what comes after this moment and id."""
    text = f"{(at - _UNIX_EPOCH) // _MILLISECOND}.{id_}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(text: str, pointer: str) -> tuple[datetime, str]:
    """Return the moment and the id of a cursor. Raise `Invalid` for a text that no page has given."""
    padded = text[:_CHARS] + "=" * (-len(text[:_CHARS]) % 4)
    try:
        found = _SHAPE.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
        at = _UNIX_EPOCH + int(found[1]) * _MILLISECOND if found else None
    except (ValueError, OverflowError):
        found = at = None
    if found is None or at is None:
        raise Invalid(pointer, "invalid", None, "must be the unchanged `next` of an answer: leave it out")
    return at, found[2]
