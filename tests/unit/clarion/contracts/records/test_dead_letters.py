"""Dead letters: what a record came with stays with it, and deaths are counted over replays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import OWN, DeadLetter, Headers, Reason
from services.stream.receipts.worker import decode_receipts
from services.stream.scheduler.decode import decode_plans
from services.stream.steps.decode import dead_letter, decode_window
from tests.unit.records import batch, record

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def died(headers: Headers, now: datetime = NOW, attempts: int = 1) -> DeadLetter:
    came = record(b"x", headers=headers)
    return dead_letter(came, Partition("notifications.low", 0), Reason.INVALID, "no", now, attempts=attempts)


def test_a_dead_letter_keeps_its_records_headers_in_order() -> None:
    own: Any = [("traceparent", b"00-1-2-01"), ("x", b"\xff\xfe"), ("x", b"again"), ("none", None)]
    assert died(own).headers()[-4:] == own
    assert {name for name, _ in died(own).headers()} >= {"reason", "error", "attempts", "first_seen"}


def test_a_header_with_a_name_of_ours_is_kept_under_another() -> None:
    headers = died([("topic", b"theirs"), ("reason", b"because")]).headers()
    assert dict(headers)["topic"] == b"notifications.low"
    assert headers[-2:] == [("original-topic", b"theirs"), ("original-reason", b"because")]


def test_deaths_are_counted_over_replays_from_the_first_on() -> None:
    first = died([("traceparent", b"t"), ("topic", b"theirs")])
    second = died(first.headers(), NOW + timedelta(days=1), attempts=8)
    third = died(second.headers(), NOW + timedelta(days=2))
    assert [dict(letter.headers())["attempts"] for letter in (first, second, third)] == [b"1", b"9", b"10"]
    assert {dict(letter.headers())["first_seen"] for letter in (first, second, third)} == {b"2026-11-18T11:06:40.000Z"}
    names = [name for name, _ in third.headers()]
    assert len(names) == len(set(names))
    assert dict(third.headers())["original-topic"] == b"theirs"
    assert dict(third.headers())["last_seen"] == b"2026-12-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("name", "content"),
    [("attempts", b"-1"), ("attempts", b"9" * 30), ("attempts", b"x"), ("first_seen", b"9999-12-31T23:59:59-14:00"),
     ("first_seen", b"soon"), ("first_seen", b"\xff"), ("reason", b"mine"), ("attempts", None)],
)  # fmt: skip
def test_headers_that_only_look_like_ours_are_the_records_own(name: str, content: bytes) -> None:
    forged = [(own, content if own == name else value) for own, value in died([]).headers()]
    again = dict(died(forged).headers())
    assert again["attempts"] == b"1"
    assert again[f"original-{name}"] == content


def test_headers_beyond_the_limit_are_left_out_and_counted() -> None:
    headers = died([(f"h{n}", b"x" * 8_000) for n in range(20)]).headers()
    assert sum(len(name) + len(content) for name, content in headers if name not in OWN) <= limits.HEADERS_BYTES
    assert dict(headers)["left_out"] == b"12"


@given(st.lists(st.tuples(st.sampled_from(sorted(OWN)) | st.text(max_size=5), st.none() | st.binary(max_size=40))))
def test_whatever_the_headers_are_a_dead_letter_can_be_made(own: Any) -> None:
    names = [name for name, _ in died(own).headers()]
    assert all(names.count(name) == 1 for name in OWN if name in names)


def test_a_tombstone_is_named() -> None:
    lane = decode_window([batch([None])], Lane.NORMAL, 0, 1, NOW).dead
    scheduled = decode_plans([batch([None])], 0, 1, NOW).dead
    receipts = decode_receipts([batch([None])], NOW)[1]
    assert ["tombstone" in letter.error for letter in (*lane, *scheduled, *receipts)] == [True] * 3
