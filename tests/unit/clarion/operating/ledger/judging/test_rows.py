"""What the ledger keeps of records and of dead letters."""

from datetime import timedelta
from typing import Any

import pytest

from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.partitioner import partition_of
from clarion.contracts.ids import new_id, record_id, replayed_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.dead_letters import DeadLetter, Reason, facts, replay_headers
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.scheduling import RELEASED
from clarion.operating.ledger.judging.rows import Letter, Odd, Row, Source, Way, letter_of, row_of
from services.stream.steps.decode import decode_window
from tests.unit.clarion.operating.ledger.judging.stored_records import NOW, SOURCE, TIMESTAMP_MS, entry_of, row
from tests.unit.records import TOPIC, batch, record
from tests.unit.stream.steps.test_decode import BAD, good

SCHEDULED = Source("notifications.scheduled", None, 0, 0, 1)
LATER = NOW + timedelta(hours=1)


def kept(value: bytes, source: Source = SOURCE, **more: Any) -> Row:
    found = row(value, 7, source, **more)
    assert isinstance(found, Row)
    return found


def test_a_good_record_is_kept_by_id_and_place() -> None:
    id_ = new_id()
    found = kept(good(id=id_.upper()))
    assert (found.id, found.partition, found.offset, found.at) == (id_, 0, 7, TIMESTAMP_MS)
    assert (found.recipient, found.way, found.plan) == ("ann", Way.NONE, None)


def test_a_record_without_an_id_gets_the_one_that_its_lane_makes() -> None:
    assert kept(good()).id == record_id(TOPIC, 0, 0, 7) == entry_of(good()).id
    assert kept(good(), Source(TOPIC, Lane.NORMAL, 3, 5, 1)).id == record_id(TOPIC, 3, 0, 7)


def test_a_replay_without_an_id_gets_the_one_that_its_lane_makes() -> None:
    letter = "notifications.low/0/1/00000000"
    known = facts(DeadLetter(b"x", None, Reason.INVALID, "", "t", 0, 1, 1, NOW, NOW).headers())
    assert known is not None
    headers = replay_headers(known, letter, 1, [])
    (entry,) = decode_window([batch([good()], 7, headers=headers)], Lane.NORMAL, 0, 1, NOW).entries.values()
    assert kept(good(), headers=headers).id == entry.id == replayed_id(letter)


@pytest.mark.parametrize(("value", "_"), BAD)
def test_what_a_lane_refuses_is_kept_by_its_place(value: bytes | None, _: Reason) -> None:
    found = row(value)
    assert isinstance(found, Odd)
    assert (found.offset, found.last) == (7, 7)
    assert found.error


def test_headers_beyond_the_limit_make_a_record_odd() -> None:
    assert isinstance(row(good(), headers=[("h", b"x" * 70_000)]), Odd)


def test_what_cannot_be_read_is_kept_as_a_run() -> None:
    found = row_of(Unreadable(5, 9, b"", "no codec", 1), 2, SOURCE, NOW)
    assert found == Odd(2, 5, 9, 0, "no codec")  # its time is when it was read, which tells nothing


def test_records_that_are_sent_on_are_told_from_others() -> None:
    wide = Source(TOPIC, Lane.NORMAL, 0, 0, 64)
    assert partition_of("ann", 64) != 0
    assert kept(good(), wide).way is Way.ASTRAY
    later = good(deliver_at=LATER)
    assert kept(later).way is Way.EARLY
    assert kept(later, headers=[(RELEASED, b"")]).way is Way.NONE
    assert kept(later, SCHEDULED).way is Way.SCHEDULED
    assert kept(good(), SCHEDULED).plan == notification.digest(notification.decode(good()))


def test_what_comes_early_has_the_plan_of_what_is_held() -> None:
    item = notification.decode(good(deliver_at=LATER, priority=Lane.HIGH))
    found = kept(notification.encode(item))
    item.priority = Lane.NORMAL  # as the lane sends it on
    assert found.plan == notification.digest(item)
    assert kept(notification.encode(item), SCHEDULED).content == found.content


def letter(reason: Reason, error: str, offset: int, value: bytes = b"x") -> DeadLetter:
    return DeadLetter(
        value, None, reason, error, TOPIC, 3, offset, 1, NOW, NOW, own=[("topic", b"its own"), ("x", b"y")]
    )


def test_dead_letters_are_kept_by_the_place_of_their_record() -> None:
    sent = letter(Reason.INVALID, "no", 9)
    assert letter_of(record(sent.value, headers=sent.headers())) == Letter(TOPIC, 3, 9, 9, TIMESTAMP_MS, None)
    run = letter(Reason.UNREADABLE, "offsets 9 to 12 cannot be read: no codec", 9)
    assert letter_of(record(run.value, headers=run.headers())) == Letter(TOPIC, 3, 9, 12, TIMESTAMP_MS, None)


def test_the_letter_of_a_refused_copy_is_kept_by_its_id() -> None:
    item = Notification(type="t", message="m", recipient="ann", sender="s", id=new_id().upper())
    sent = letter(Reason.TOO_LARGE, "refused", -1, notification.encode(item))
    found = letter_of(record(sent.value, headers=sent.headers()))
    assert found
    assert (found.offset, found.id) == (-1, item.id and item.id.lower())
    nameless = letter(Reason.TOO_LARGE, "refused", -1, b"{")
    assert letter_of(record(nameless.value, headers=nameless.headers())) == Letter(TOPIC, 3, -1, -1, TIMESTAMP_MS, None)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("topic", b"t"), ("partition", b"one"), ("offset", b"1")],
        [("topic", b"t"), ("partition", b"1"), ("offset", b"9" * 30)],
        [("topic", None), ("partition", b"1"), ("offset", b"1")],
    ],
)
def test_what_is_no_dead_letter_is_passed_over(headers: list[tuple[str, bytes]]) -> None:
    assert letter_of(record(b"x", headers=headers)) is None
