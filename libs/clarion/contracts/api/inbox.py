"""The inbox over HTTP: what is asked and answered, and the cursor of a page."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from clarion.contracts.api.frames import Ids, Received
from clarion.contracts.ids import ID_CHARS, UUID_SHAPE

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_PLACE: Final = re.compile(rf"(-?\d{{1,15}})\.({UUID_SHAPE})")
_CURSOR_CHARS: Final = 4 * (ID_CHARS + 18)


class InboxItem(Received, kw_only=True):
    """A notification as its user's inbox has it."""

    unread: bool


class InboxPage(msgspec.Struct):
    """Newest first. `next` is the cursor of the page after it; None on the last one."""

    items: list[InboxItem]
    next: str | None = None


class EncodedPage(msgspec.Struct):
    """An `InboxPage` whose items are encoded already."""

    items: list[msgspec.Raw]
    next: str | None


class Unread(msgspec.Struct):
    """The server's count of what is unread, up to UNREAD_CAP: show that as "99+"."""

    unread: int


class ReadAll(msgspec.Struct):
    """`more`: there was more than one request does; ask again."""

    unread: int
    more: bool


class Marked(msgspec.Struct, forbid_unknown_fields=True):
    """What to mark. Ids that are not in the user's inbox change nothing."""

    ids: Ids


class Place(NamedTuple):
    """Of a notification in its inbox: by when it became available, newest first, then by id.

    Cursors of earlier versions have `created_at` there, which is the same of all but what was scheduled.
    """

    available_at: datetime
    id: str


def encode_cursor(place: Place) -> str:
    milliseconds = (place.available_at - _EPOCH) // _MILLISECOND
    return base64.urlsafe_b64encode(f"{milliseconds}.{place.id}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Place:
    """Raises ValueError for what no page has given."""
    if len(text) > _CURSOR_CHARS:
        raise ValueError("too long")
    decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    found = _PLACE.fullmatch(decoded)
    if found is None:
        raise ValueError("not a place in an inbox")
    try:
        before = _EPOCH + (int(found[1]) - 1) * _MILLISECOND  # whoever reads on asks from there
        return Place(before + _MILLISECOND, found[2])
    except OverflowError as error:
        raise ValueError("no calendar has this time") from error


def encoded_item(body: bytes, *, unread: bool) -> msgspec.Raw:
    """The client's item, as the lane encoded it, with what the inbox adds."""
    return msgspec.Raw(body[:-1] + (b',"unread":true}' if unread else b',"unread":false}'))
