"""Dead letters: what a record came with stays with it, and deaths are counted over replays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import (
    OWN,
    Before,
    DeadLetter,
    Headers,
    Reason,
    before,
    facts,
    letter_id,
    replay_headers,
    size_of,
)
from clarion.contracts.records.notification import check_headers
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


LETTER = "notifications.low/0/7/2d711642"


def replayed(letter: DeadLetter, number: int) -> Headers:
    """The headers with which the letter is replayed for the `number`th time."""
    kept = letter.headers()
    known = facts(kept)
    assert known is not None
    own = [(name, content) for name, content in kept if name not in OWN]
    return replay_headers(known, LETTER, number, own)


def test_headers_of_20_replays_stay_of_one_size() -> None:
    letter = died([("traceparent", b"t"), ("topic", b"theirs"), ("letter", b"mine")])
    sizes: set[int] = set()
    for number in range(1, 21):
        headers = replayed(letter, number)
        letter = died(headers, NOW + timedelta(minutes=number))
        sizes.add(size_of(letter.headers()) - len(str(number)) - len(str(number + 1)))
    assert len(sizes) == 1
    known = facts(letter.headers())
    assert known is not None
    assert (known.attempts, known.letter, known.replays) == (21, LETTER, 20)
    assert known.first_seen == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)
    own = [(name, content) for name, content in letter.headers() if name not in OWN]
    assert own == [("traceparent", b"t"), ("original-topic", b"theirs"), ("original-letter", b"mine")]


def test_the_history_makes_room_for_headers_near_their_limit() -> None:
    own = [("x", b"x" * (limits.HEADERS_BYTES - 700))]
    long = DeadLetter(b"x", None, Reason.INVALID, "e" * 1_000, "notifications.low", 0, 7, 1, NOW, NOW, own)
    check_headers(replayed(long, 1))
    assert before(replayed(long, 1), NOW) == Before(1, NOW, LETTER, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [("letter", b"theirs"), ("letter", b"a/b/c/d"), ("replays", b"-1"), ("replays", b"9" * 8), ("letter", None)],
)
def test_a_letter_that_no_replay_has_named_counts_for_nothing(name: str, content: bytes) -> None:
    forged = [(own, content if own == name else value) for own, value in replayed(died([]), 3)]
    again = before(forged, NOW)
    assert again is not None
    assert (again.letter, again.replays) == ("", 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [("reason", b"mine"), ("topic", b"a b"), ("partition", b"x"), ("offset", b"-2"), ("attempts", b"1e9"),
     ("first_seen", b"0001-01-01T00:00:00+14:00"), ("last_seen", b"9999-12-31T23:59:59-14:00"), ("sha256", b"00")],
)  # fmt: skip
def test_a_record_without_our_headers_says_nothing(name: str, content: bytes) -> None:
    headers = died([]).headers()
    assert facts(headers) is not None
    assert facts([(own, content if own == name else value) for own, value in headers]) is None
    assert facts([one for one in headers if one[0] != name]) is None


def test_a_letter_is_told_by_its_place_and_its_content() -> None:
    assert letter_id("notifications.low", 3, -1, "2d711642b726b044") == "notifications.low/3/-1/2d711642"
