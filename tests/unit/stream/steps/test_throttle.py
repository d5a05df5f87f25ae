"""Recipients' limits: whose clock decides, and what takes a token."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import Record, RecordBatch
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.resilience.gcra import RateLimit
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.record_clock import BELIEVED_S
from services.stream.steps.throttle import RecipientThrottle
from tests.unit.records import TIMESTAMP_MS, TOPIC, record

NOW = TIMESTAMP_MS / 1000
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
RATE, BURST = 10, 50


def good(**fields: Any) -> bytes:
    given: dict[str, Any] = {"type": "a.b", "message": "hi", "recipient": "ann", "sender": "bob"} | fields
    return notification.encode(Notification(**given))


def records(stamps: Iterable[float], *, by_broker: bool, first: int = 0, **fields: Any) -> list[Record]:
    return [
        record(good(**fields), first + n, timestamp_ms=int(stamp * 1000), by_broker=by_broker)
        for n, stamp in enumerate(stamps)
    ]


def window(found: Sequence[Record], now: float, epoch: int = 0) -> Decoded:
    taken = RecordBatch(Partition(TOPIC, 0), found, epoch, 1)
    return decode_window([taken], Lane.NORMAL, 0, 1, datetime.fromtimestamp(now, UTC))


class Limited:
    """A lane of which only the limit is tried."""

    def __init__(self) -> None:
        self.throttling = RecipientThrottle(RateLimit(RATE, BURST))

    def passes(self, found: Sequence[Record], now: float = NOW, epoch: int = 0) -> list[bool]:
        decoded = window(found, now, epoch)
        self.throttling.apply(decoded, epoch, now)
        assert decoded.throttled == sum(entry.throttled for entry in decoded.entries.values())
        return [not entry.throttled for entry in decoded.entries.values()]


@pytest.mark.parametrize("ahead", [MINUTE, HOUR, 80 * 365 * DAY])
def test_a_stamp_ahead_throttles_neither_its_record_nor_the_next(ahead: float) -> None:
    lane = Limited()
    assert lane.passes(records([NOW + ahead], by_broker=False)) == [True]
    for second in range(1, 60):
        assert lane.passes(records([NOW + second], by_broker=False, first=second), NOW + second) == [True]


@pytest.mark.parametrize("stamp", [NOW / 1000, 0.0, -1.0, -(2.0**53)], ids=["seconds", "1970", "none", "negative"])
def test_a_stamp_far_behind_is_not_throttled_itself(stamp: float) -> None:
    lane = Limited()
    assert lane.passes(records([NOW], by_broker=False)) == [True]
    assert lane.passes(records([stamp], by_broker=False, first=1), NOW + 1) == [True]


def test_of_two_producers_with_clocks_apart_none_is_starved() -> None:
    lane = Limited()
    for n in range(200):  # together at four a second, below the limit
        now = NOW + n / 4
        assert lane.passes(records([now - 10 * (n % 2)], by_broker=False, first=n), now) == [True]


@pytest.mark.parametrize("by_broker", [True, False])
def test_a_backlog_is_judged_as_it_was_published(by_broker: bool) -> None:
    """Ten minutes at a permitted rate are read at once, after the lane was away."""
    lane = Limited()
    stamps = [NOW - 10 * MINUTE + n / 10 for n in range(6_000)]
    assert all(lane.passes(records(stamps, by_broker=by_broker)))
    assert not all(lane.passes(records([NOW - 10 * MINUTE] * 60, by_broker=by_broker, first=6_000)))


def test_a_backlog_of_days_is_judged_by_the_brokers_clock() -> None:
    stamps = [NOW - 3 * DAY + n * 10 for n in range(6_000)]
    assert all(Limited().passes(records(stamps, by_broker=True)))


@pytest.mark.parametrize("by_broker", [True, False])
def test_a_burst_in_a_backlog_is_throttled_as_it_was_published(by_broker: bool) -> None:
    passed = Limited().passes(records([NOW - 10 * MINUTE] * 200, by_broker=by_broker))
    assert sum(passed) == BURST


def test_a_flood_whose_stamps_pretend_time_does_not_pass() -> None:
    """From 1970 to 2100: believed, each would have a bucket of its own."""
    count = 5_000
    stamps = [n * 130 * 365 * DAY / count for n in range(count)]
    assert sum(Limited().passes(records(stamps, by_broker=False))) <= 2 * BURST + 1


def test_a_flood_gains_at_most_the_believed_time_and_only_once() -> None:
    lane = Limited()
    believed = [NOW - BELIEVED_S + n / RATE for n in range(int(BELIEVED_S * RATE))]
    first = lane.passes(records(believed, by_broker=False))
    again = lane.passes(records(believed, by_broker=False, first=len(believed)), NOW + 1)
    assert sum(first) <= BELIEVED_S * RATE + BURST
    assert sum(again) <= RATE + BURST


def test_by_the_brokers_clock_no_flood_passes() -> None:
    lane = Limited()
    passed = sum(sum(lane.passes(records([NOW + n] * 100, by_broker=True, first=100 * n), NOW + n)) for n in range(10))
    assert passed == BURST + 9 * RATE


def test_what_is_read_again_is_not_charged_twice() -> None:
    lane = Limited()
    found = records([NOW] * BURST, by_broker=True)
    assert all(lane.passes(found))
    assert all(lane.passes(found, epoch=1))
    assert not any(lane.passes(records([NOW] * BURST, by_broker=True, first=BURST), epoch=1))


def test_only_the_newest_of_a_collapse_key_takes_a_token() -> None:
    lane = Limited()
    updates = records([NOW] * 200, by_broker=True, collapse_key="build")
    assert all(lane.passes(updates))
    others = records([NOW] * BURST, by_broker=True, first=200)
    assert lane.passes(others).count(False) == 1  # the newest update has taken one


def test_the_newest_of_a_collapse_key_needs_a_token_too() -> None:
    lane = Limited()
    keyed = [records([NOW], by_broker=True, first=n, collapse_key=f"key-{n}")[0] for n in range(BURST)]
    assert all(lane.passes(keyed))
    window = records([NOW] * 3, by_broker=True, first=BURST, collapse_key="key-0")
    assert lane.passes(window) == [True, True, False]  # those before it are collapsed, once all are stored


def test_an_expired_one_replaces_nothing() -> None:
    lane = Limited()
    past = datetime.fromtimestamp(NOW - 1, UTC)
    first = records([NOW] * BURST, by_broker=True)
    last = records([NOW], by_broker=True, first=BURST, collapse_key="build")
    gone = records([NOW], by_broker=True, first=BURST + 1, collapse_key="build", expires_at=past)
    assert lane.passes([*first, *last, *gone])[BURST] is False
