"""The inbox over HTTP: the bodies of requests and answers, and the cursor of a page."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from clarion.contracts.api.frames import Ids, Received
from clarion.contracts.ids import ID_CHARS, UUID_SHAPE

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SHAPE: Final = re.compile(rf"(-?\d{{1,15}})\.({UUID_SHAPE})")
_CURSOR_CHARS: Final = 4 * (ID_CHARS + 18)


class InboxItem(Received, kw_only=True):
    """A notification in its user's inbox."""

    unread: bool


class InboxPage(msgspec.Struct):
    """A page of notifications, newest first. `next` is the cursor of the next page, null on the last one."""

    items: list[InboxItem]
    next: str | None = None


class EncodedPage(msgspec.Struct):
    """An `InboxPage` whose items are already encoded."""

    items: list[msgspec.Raw]
    next: str | None


class Unread(msgspec.Struct):
    """The server's unread count. It ends at 100, which clients show as "99+"."""

    unread: int


class ReadAll(msgspec.Struct):
    """The unread count after `read-all`. `more` says that one request was not enough: repeat it."""

    unread: int
    more: bool


class Marked(msgspec.Struct, forbid_unknown_fields=True):
    """The notifications to mark. Ids that are not in the user's inbox change nothing."""

    ids: Ids


class PageCursor(NamedTuple):
    """Where a page of the inbox ends, which is ordered by `available_at`, newest first, then by id.

    Page cursors of earlier versions hold `created_at` instead, which differs only for what was scheduled.
    """

    available_at: datetime
    id: str


def encode_cursor(cursor: PageCursor) -> str:
    """Return a page cursor as a text for clients, which `decode_cursor` takes apart."""
    milliseconds = (cursor.available_at - _UNIX_EPOCH) // _MILLISECOND
    return base64.urlsafe_b64encode(f"{milliseconds}.{cursor.id}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> PageCursor:
    """Return the page cursor that a text stands for. Raise ValueError for a text that no page has given."""
    if len(text) > _CURSOR_CHARS:
        raise ValueError("the cursor is too long")
    decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    found = _SHAPE.fullmatch(decoded)
    if found is None:
        raise ValueError("the cursor names no place in an inbox")
    try:
        before = _UNIX_EPOCH + (int(found[1]) - 1) * _MILLISECOND  # the next page is read from there
        return PageCursor(before + _MILLISECOND, found[2])
    except OverflowError as error:
        raise ValueError("no calendar has the time of the cursor") from error


def encoded_item(body: bytes, *, unread: bool) -> msgspec.Raw:
    """Return an item as the lane encoded it, with the field that the inbox adds."""
    return msgspec.Raw(body[:-1] + (b',"unread":true}' if unread else b',"unread":false}'))
