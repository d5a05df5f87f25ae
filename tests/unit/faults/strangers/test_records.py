"""What `make faults-strangers` sends: a wrong generator would show nothing."""

import itertools
import random

import pytest

from clarion.contracts.records import notification
from clarion.contracts.records.notification import Invalid
from tests.faults.strangers import records


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
