"""What `make faults-strangers` sends, and how it judges what came of it: a wrong generator would show nothing."""

import itertools
import random

import pytest

from clarion.contracts.records import notification
from clarion.contracts.records.notification import Invalid
from tests.faults.strangers import letters, records
from tests.faults.strangers.letters import Letter

PLACE = ("notifications.normal", 1, 7)


def test_odd_records_are_valid() -> None:
    for one in itertools.islice(records.odd(random.Random(1), 4), 70):
        notification.check_headers(one.headers)
        item = notification.decode(one.value or b"")
        assert (item.id, item.recipient, item.message) == (one.id, *one.said)


def test_bad_records_are_refused() -> None:
    for one in itertools.islice(records.bad(random.Random(1)), 90):
        with pytest.raises(Invalid):
            _read(one)


def _read(one: records.Record) -> None:
    notification.check_headers(one.headers)
    notification.decode(one.value or b"")


def test_the_same_seed_makes_the_same_choices() -> None:
    def kinds(seed: int) -> list[tuple[object, ...]]:
        found = itertools.islice(records.odd(random.Random(seed), 4), 30)
        return [(one.lane, one.said, one.timestamp > 10**12, one.partition) for one in found]

    assert kinds(3) == kinds(3)
    assert kinds(3) != kinds(4)


def _bad(names: str = "") -> records.Bad:
    return records.Bad(records.Lane.NORMAL, b"x", kind="noise", names=names)


def _letter(reason: str = "undecodable", error: str = "the record is empty") -> Letter:
    return Letter(*PLACE, reason, error)


def test_one_letter_that_names_the_cause_is_what_a_bad_record_costs() -> None:
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
