"""A cursor is what a page gave, or is refused by name."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.records.notification import Invalid
from clarion.operating.cursors import decode_cursor, encode_cursor

AT = datetime(2026, 11, 29, 12, 0, 0, 123_000, tzinfo=UTC)


def test_a_cursor_comes_back_as_it_was_given() -> None:
    assert decode_cursor(encode_cursor(AT, "a/b/3/00"), "/cursor") == (AT, "a/b/3/00")


@pytest.mark.parametrize("text", ["", "x", "!", "AAAA", "9" * 700, encode_cursor(AT, "x")[:-3] + "é"])
def test_what_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="/cursor"):
        decode_cursor(text, "/cursor")


@given(st.text())
def test_no_text_is_an_error_of_another_kind(text: str) -> None:
    with contextlib.suppress(Invalid):
        decode_cursor(text, "/cursor")
