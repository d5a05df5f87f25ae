"""How `make faults-strangers` judges the dead letters that come of what it sent."""

import pytest

from tests.faults.strangers import letters, records
from tests.faults.strangers.letters import Letter

PLACE = ("notifications.normal", 1, 7)


def _bad(names: str = "") -> records.Bad:
    return records.Bad(records.Lane.NORMAL, b"x", kind="noise", names=names)


def _letter(reason: str = "undecodable", error: str = "the record is empty") -> Letter:
    return Letter(*PLACE, reason, error)


def test_one_letter_that_names_the_cause_is_as_it_should_be() -> None:
    assert not any(letters.judge({PLACE: _bad("empty")}, [_letter()]).wrongs().values())


def test_a_bad_record_without_a_letter_is_missing() -> None:
    assert letters.judge({PLACE: _bad()}, []).missing == [f"noise at {PLACE}"]


def test_two_letters_of_one_record_are_several() -> None:
    assert letters.judge({PLACE: _bad()}, [_letter(), _letter()]).several == [f"noise at {PLACE}"]


@pytest.mark.parametrize("letter", [_letter(error="no idea"), _letter(reason="id_conflict")])
def test_a_letter_that_says_something_else_names_another_cause(letter: Letter) -> None:
    assert letters.judge({PLACE: _bad("empty")}, [letter]).another_cause


def test_a_letter_of_a_good_record_is_unexpected() -> None:
    assert letters.judge({}, [_letter()]).unexpected
