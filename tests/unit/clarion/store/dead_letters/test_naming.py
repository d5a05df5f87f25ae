"""Names are read of what a stranger wrote, and only good ones are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.store.dead_letters.naming import named


@pytest.mark.parametrize(
    ("value", "key", "known"),
    [
        (b'{"recipient": "ann", "sender": 1, "type": "A", "id": "x"}', b"bob", {"recipient": "ann"}),
        (b'{"user": "ann", "sender": "s", "type": "a.b"}', None, {"recipient": "ann", "sender": "s", "type": "a.b"}),
        (b'{"recipient": ".", "sender": "a\\u0000b"}', b"bob", {"recipient": "bob"}),
        (b'{"recipient": "\\ud800"}', None, {}),
        (b'["recipient"]', b"ann", {"recipient": "ann"}),
        (b"[" * 100_000, b"\xff", {}),
        (b"", b"x" * 200, {}),
    ],
)
def test_only_names_that_a_token_can_have_are_known(value: bytes, key: bytes | None, known: dict[str, str]) -> None:
    assert named(value, key).fields() == known


@given(st.binary(), st.none() | st.binary())
def test_no_bytes_are_an_error(value: bytes, key: bytes | None) -> None:
    named(value, key)
