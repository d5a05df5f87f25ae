"""Pages of the inbox: their cursors, and their items."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import times
from clarion.contracts.api.inbox import InboxItem, PageCursor, decode_cursor, encode_cursor, encoded_item
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane

FIRST = datetime(1, 1, 1, 0, 0, 1)  # noqa: DTZ001 - as hypothesis wants it
moments = st.datetimes(FIRST, timezones=st.just(UTC)).map(times.truncate)


@given(moments)
def test_a_cursor_is_read_as_it_was_written(moment: datetime) -> None:
    cursor = PageCursor(moment, new_id())
    text = encode_cursor(cursor)
    assert decode_cursor(text) == cursor
    assert text.isascii()
    assert not set(text) & set("+/=&? ")


GOOD = encode_cursor(PageCursor(datetime(2026, 1, 1, tzinfo=UTC), "019b7d3e-5c00-7abc-8def-0123456789ab"))


@given(st.one_of(st.text(), st.text(alphabet="abcDEF019-_=", max_size=90)))
def test_what_no_page_gave_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of its kinds
        decode_cursor(text)


@pytest.mark.parametrize("milliseconds", [-62_135_596_800_000, 253_402_300_800_001, 10**15 - 1])
def test_a_time_no_calendar_has_is_refused(milliseconds: int) -> None:
    text = base64.urlsafe_b64encode(f"{milliseconds}.{new_id()}".encode()).decode()
    with pytest.raises(ValueError, match="calendar"):
        decode_cursor(text.rstrip("="))


@pytest.mark.parametrize("text", [GOOD[:-4], GOOD + "AAAA", GOOD[1:], "A" * 10_000, GOOD + "\n"])
def test_a_damaged_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_cursor(text)


def test_an_item_is_the_clients_with_what_the_inbox_adds() -> None:
    item: dict[str, object] = {
        "id": "i",
        "type": "t",
        "message": "m",
        "sender": "s",
        "data": {},
        "created_at": "c",
        "lane": "low",
    }
    body = msgspec.json.encode(item | {"ord": [0, 7]})
    for unread in (True, False):
        found = msgspec.json.decode(encoded_item(body, unread=unread), type=InboxItem)
        assert (found.id, found.lane, found.ord, found.unread) == ("i", Lane.LOW, (0, 7), unread)
