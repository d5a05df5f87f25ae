"""An edit changes what is replayed, part by part, within what Kafka takes."""

import pytest

from clarion.contracts import limits
from clarion.contracts.api.contents import Content, Header
from clarion.contracts.api.dead_letters import Edit
from clarion.contracts.records.notification import Invalid
from clarion.operating.dead_letters.editing import edited_by
from tests.unit.clarion.operating.dead_letters.kept import GOOD, edited, letter


def test_what_is_left_out_of_an_edit_stays() -> None:
    first = edited_by(Edit(value=Content(GOOD.decode())), letter(), "op")
    assert first is not None
    assert (first.content.value, first.content.key, first.content.headers) == (GOOD, b"ann", [("traceparent", b"t")])
    second = edited_by(Edit(key=Content("YWI=", "base64"), headers=[Header("x")]), letter(edited=first), "op")
    assert second is not None
    assert (second.content.value, second.content.key, second.content.headers) == (GOOD, b"ab", [("x", None)])
    third = edited_by(Edit(no_key=True), letter(edited=second), "op")
    assert third is not None
    assert third.content.key is None


def test_an_edit_is_undone_alone() -> None:
    assert edited_by(Edit(undo=True), letter(edited=edited()), "op") is None


def test_a_cut_value_is_whole_once_it_is_given_anew() -> None:
    cut = letter(whole=False)
    keyed = edited_by(Edit(no_key=True), cut, "op")
    valued = edited_by(Edit(value=Content("x")), cut, "op")
    assert keyed is not None
    assert valued is not None
    assert (keyed.whole, valued.whole) == (False, True)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        (Edit(), "", "required"),
        (Edit(undo=True, no_key=True), "/undo", "excluded"),
        (Edit(key=Content("a"), no_key=True), "/no_key", "excluded"),
        (Edit(value=Content("?", "base64")), "/value/text", "unencodable"),
        (Edit(value=Content("x" * (limits.TOPIC_RECORD_BYTES + 1))), "/value", "too_large"),
        (Edit(key=Content("x" * (limits.DEAD_LETTER_KEY_BYTES + 1))), "/key", "too_large"),
        (Edit(headers=[Header("x", Content("x" * limits.HEADERS_BYTES))]), "/headers", "too_large"),
        (Edit(headers=[Header("x"), Header("attempts", Content("0"))]), "/headers/1/name", "excluded"),
    ],
)
def test_an_edit_that_is_not_possible_names_the_field(change: Edit, pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        edited_by(change, letter(), "op")
    assert (refused.value.pointer, refused.value.code) == (pointer, code)
