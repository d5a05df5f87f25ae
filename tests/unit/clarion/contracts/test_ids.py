"""Ids: made anew, made from a key, and recognised."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.ids import are_uuids, idempotent_id, is_uuid, new_id


def test_an_idempotency_key_is_per_sender_and_recipient() -> None:
    ids = {idempotent_id(s, r, k) for s, r, k in [("a", "b", "c"), ("a", "bc", ""), ("ab", "", "c"), ("b", "a", "c")]}
    assert len(ids) == 4
    assert idempotent_id("a", "b", "c") == idempotent_id("a", "b", "c")
    assert new_id() != new_id()


@given(st.lists(st.uuids().map(str) | st.text(max_size=40) | st.text("0123456789abcdef-", min_size=36, max_size=36)))
def test_many_ids_are_judged_as_each_is(texts: list[str]) -> None:
    assert are_uuids(texts) == all(is_uuid(text) for text in texts)
