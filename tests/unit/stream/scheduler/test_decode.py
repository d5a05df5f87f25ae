"""Records of `notifications.scheduled` → what to hold: one bad record harms none of its neighbours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.partitioner import partition_of
from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.scheduling import RELEASED
from clarion.contracts.topics import Names
from clarion.store.scheduled import Due
from services.stream.scheduler.decode import DecodedToHold, decode_plans
from services.stream.steps.decode import decode_window
from services.stream.steps.records import moved_records, released_records
from tests.unit.records import TIMESTAMP_MS, batch

NOW = datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC) + timedelta(seconds=5)
DUE = NOW + timedelta(hours=1)


def planned(**fields: object) -> bytes:
    whole = {"type": "a.b", "message": "hi", "recipient": "ann", "sender": "bob", "deliver_at": DUE, **fields}
    return notification.encode(Notification(**whole))  # type: ignore[arg-type]


def decode(values: list[bytes | None], generation: int = 0) -> DecodedToHold:
    return decode_plans([batch(values, first=7)], generation, 1, NOW)


def test_a_plan_is_the_record_for_its_lane_and_when_it_is_due() -> None:
    (plan,) = decode([planned(priority=Lane.LOW, expires_at=DUE + timedelta(hours=1))]).by_id.values()
    document = plan.document(NOW)
    assert (document["due"], document["state"], document["lane"], document["partition"]) == (DUE, "waiting", "low", 0)
    assert "purge_at" not in document
    names = Names("p-")
    due = Due("1", "ann", Lane.LOW, DUE, document["value"], [("traceparent", b"00-1")])
    [record] = released_records(names, [due])
    assert (record["topic"], record["key"]) == ("p-notifications.low", b"ann")
    assert record["headers"] == [("traceparent", b"00-1"), (RELEASED, b"")]
    sent = notification.decode(record["value"])
    assert (sent.id, sent.created_at) == (plan.id, datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC))


BAD: list[tuple[bytes | None, Reason]] = [
    (b"{bad", Reason.UNDECODABLE),
    (None, Reason.UNDECODABLE),
    (planned(data={"a": "y" * 40_000}), Reason.INVALID),
    (planned(deliver_at=NOW + timedelta(days=limits.DELIVER_AHEAD_DAYS + 2)), Reason.INVALID),
]


@pytest.mark.parametrize(("value", "reason"), BAD)
def test_a_bad_record_is_a_dead_letter_and_no_neighbour_is(value: bytes | None, reason: Reason) -> None:
    plans = decode([planned(message="before"), value, planned(message="after")])
    assert [(letter.reason, letter.offset) for letter in plans.dead] == [(reason, 8)]
    assert [plan.notification.message for plan in plans.by_id.values()] == ["before", "after"]


def test_what_ingest_accepted_by_a_clock_ahead_is_held() -> None:
    at_most = NOW + timedelta(days=limits.DELIVER_AHEAD_DAYS, hours=1)
    assert len(decode([planned(deliver_at=at_most)]).by_id) == 1


def test_what_is_due_already_or_says_no_time_is_due_at_once() -> None:
    past, none = decode([planned(deliver_at=NOW - timedelta(days=1)), planned(deliver_at=None)]).by_id.values()
    assert past.document(NOW)["due"] < NOW
    assert none.document(NOW)["due"] == NOW


@given(st.lists(st.one_of(st.binary(max_size=60), st.none(), st.just(planned())), max_size=20))
def test_every_record_is_either_a_plan_or_a_dead_letter(values: list[bytes | None]) -> None:
    plans = decode(values)
    assert len(plans.by_id) + len(plans.dead) == len(values)


def test_an_id_with_the_same_content_is_a_repeat_else_a_conflict() -> None:
    same = {"id": new_id(), "data": {"a": 1, "b": [2, {"c": 3}]}, "expires_at": DUE + timedelta(hours=1)}
    reordered = same | {"data": {"b": [2, {"c": 3}], "a": 1}, "created_at": NOW - timedelta(days=1)}
    plans = decode([planned(**same), planned(**reordered)])
    assert (len(plans.by_id), len(plans.dead)) == (1, 0)
    others: list[dict[str, Any]] = [
        {"data": {"a": 1, "b": [2, {"c": 4}]}},
        *({name: "other"} for name in ("type", "message", "sender", "recipient", "collapse_key")),
        {"expires_at": DUE + timedelta(hours=2)},
        {"deliver_at": DUE + timedelta(hours=2)},
        {"priority": Lane.LOW},
    ]
    for other in others:
        assert [letter.reason for letter in decode([planned(**same), planned(**same | other)]).dead] == [
            Reason.ID_CONFLICT
        ]


def test_a_record_in_the_wrong_partition_is_moved_with_its_id() -> None:
    right = partition_of("ann", 4)
    plans = decode_plans([batch([planned()], partition=(right + 1) % 4)], 0, 4, NOW)
    assert not plans.by_id
    [record] = moved_records("scheduled", plans.moved)
    assert (record["topic"], record["partition"]) == ("scheduled", right)
    again = decode_plans([batch([record["value"]], first=99, partition=right)], 0, 4, NOW)
    assert list(again.by_id) == [plans.moved[0].notification.id]


# ---- what a lane makes of it


def test_what_comes_to_a_lane_early_is_sent_on_to_be_held() -> None:
    for partition in range(4):
        batches = [batch([planned(), b"{"], partition=partition)]
        decoded = decode_window(batches, Lane.URGENT, 0, 4, NOW)
        assert not decoded.entries
        assert not decoded.moved
        assert len(decoded.dead) == 1
        [record] = moved_records("scheduled", decoded.early)
        assert (record["topic"], record["key"]) == ("scheduled", b"ann")
        assert "partition" not in record, "that topic may have another number of them"
        sent = notification.decode(record["value"])
        assert (sent.priority, sent.deliver_at) == (Lane.URGENT, DUE)
        assert sent.id is not None
        assert sent.created_at is not None


def test_a_lane_whose_clock_is_behind_sends_nothing_back() -> None:
    released = batch([planned()], headers=[(RELEASED, b"")])
    decoded = decode_window([released], Lane.NORMAL, 0, 1, NOW)
    assert len(decoded.entries) == 1
    assert not decoded.early


def test_what_has_expired_is_not_held_any_more() -> None:
    decoded = decode_window([batch([planned(expires_at=NOW)])], Lane.NORMAL, 0, 1, NOW)
    assert [entry.expired for entry in decoded.entries.values()] == [True]
    assert not decoded.early
