"""A window's records → entries and dead letters: one bad record harms none of its neighbours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import msgspec
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.partitioner import partition_of
from clarion.contracts import limits, order
from clarion.contracts.ids import new_id, replayed_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.dead_letters import DeadLetter, Reason, facts, replay_headers
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.scheduling import RELEASED
from clarion.contracts.topics import Names
from clarion.store import raw_documents
from clarion.store.notifications import State
from services.stream.scheduler.decode import decode_plans
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.records import dead_letter_records, moved_records
from tests.unit.records import TIMESTAMP_MS, batch

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
NOW = datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC) + timedelta(seconds=5)


def good(**fields: object) -> bytes:
    return notification.encode(
        Notification(**{"type": "a.b", "message": "hi", "recipient": "ann", "sender": "bob", **fields})  # type: ignore[arg-type]
    )


def decode(values: list[bytes | None], generation: int = 0) -> Decoded:
    return decode_window([batch(values, first=7)], Lane.NORMAL, generation, 1, NOW)


BAD: list[tuple[bytes | None, Reason]] = [
    (b"{bad", Reason.UNDECODABLE),
    (None, Reason.UNDECODABLE),
    (b"\xff\xfe", Reason.UNDECODABLE),
    (b"[" * 5_000, Reason.UNDECODABLE),
    (good().replace(b'"a.b"', b'"A B"'), Reason.UNDECODABLE),
    (good().replace(b'"hi"', b'"hi","priority":"huge"'), Reason.UNDECODABLE),
    (good(message="x" * 4_096, data={"a": "y" * 16_385}), Reason.INVALID),
    (good(data={"a": "y" * 40_000}), Reason.INVALID),
]


@pytest.mark.parametrize(("value", "reason"), BAD)
def test_a_bad_record_is_a_dead_letter_and_no_neighbour_is(value: bytes | None, reason: Reason) -> None:
    decoded = decode([good(message="before"), value, good(message="after")])
    assert [letter.reason for letter in decoded.dead] == [reason]
    assert [msgspec.json.decode(entry.body)["message"] for entry in decoded.entries.values()] == ["before", "after"]
    letter = decoded.dead[0]
    assert (letter.offset, letter.value) == (8, value or b"")
    headers = dict(letter.headers())
    assert headers["offset"] == b"8"
    assert headers["reason"].decode() == reason
    assert len(letter.payload()) <= limits.DEAD_LETTER_BYTES


@given(st.lists(st.one_of(st.binary(max_size=60), st.none(), st.just(good())), max_size=20))
def test_every_record_is_either_an_entry_or_a_dead_letter(values: list[bytes | None]) -> None:
    decoded = decode(values)
    assert len(decoded.entries) + len(decoded.dead) + decoded.repeats == len(values)


def test_deep_data_is_refused_though_it_decodes() -> None:
    deep = msgspec.json.decode(b'{"a":' * limits.DATA_DEPTH + b"1" + b"}" * limits.DATA_DEPTH)
    assert decode([good(data=deep)]).entries
    assert decode([good(data={"b": deep})]).dead[0].reason is Reason.INVALID


def test_a_record_without_an_id_gets_one_for_each_generation() -> None:
    first, again, anew = decode([good()]), decode([good()]), decode([good()], generation=1)
    assert list(first.entries) == list(again.entries) != list(anew.entries)


def test_a_repeat_in_a_window_counts_once_and_a_conflict_is_dead() -> None:
    id_ = new_id()
    decoded = decode([good(id=id_), good(id=id_), good(id=id_, message="other")])
    assert (len(decoded.entries), decoded.repeats) == (1, 1)
    assert [letter.reason for letter in decoded.dead] == [Reason.ID_CONFLICT]


def test_a_refused_use_of_an_id_changes_nothing_of_the_first() -> None:
    """Else the first would not be emitted once the other has expired, and a cursor would pass it."""
    same = new_id()
    other = good(id=same, message="other", expires_at=NOW + timedelta(seconds=1), deliver_at=NOW - timedelta(seconds=1))
    decoded = decode([good(id=same), other])
    assert [letter.reason for letter in decoded.dead] == [Reason.ID_CONFLICT]
    assert (decoded.gone(NOW + timedelta(hours=1)), decoded.planned) == (set(), [])


def test_what_was_held_without_a_time_may_be_taken_back() -> None:
    """A record straight to `notifications.scheduled` may have no `deliver_at`."""
    came = batch([good(id=(held := new_id())), good()])
    released = replace(came.records[0], headers=((RELEASED, b""),))  # type: ignore[type-var]
    decoded = decode_window([replace(came, records=[released, came.records[1]])], Lane.NORMAL, 0, 1, NOW)
    assert decoded.planned == [held]


def test_headers_too_large_to_be_sent_on_make_a_dead_letter() -> None:
    """A compressed batch brings in what no topic takes as it is: sending it would be tried for ever."""
    taken = batch([good(message="before"), good(message="huge"), good(message="after")], first=7)
    huge = replace(taken.records[1], headers=(("h", b"x" * limits.HEADERS_BYTES),), key=b"k" * 2**20)  # type: ignore[type-var]
    fitting = replace(taken.records[2], headers=(("h", b"x" * (limits.HEADERS_BYTES - 1)),))  # type: ignore[type-var]
    decoded = decode_window([replace(taken, records=[taken.records[0], huge, fitting])], Lane.NORMAL, 0, 1, NOW)
    assert len(decoded.entries) == 2
    assert [letter.reason for letter in decoded.dead] == [Reason.INVALID]
    (sent,) = dead_letter_records(Names(), decoded.dead)
    assert len(sent["key"]) == limits.DEAD_LETTER_KEY_BYTES


def test_a_repeat_is_told_by_content_whatever_its_keys_order() -> None:
    id_ = new_id()
    same = {"id": id_, "data": {"a": 1, "b": [2, {"c": 3}]}, "expires_at": NOW + timedelta(hours=1)}
    reordered = same | {"data": {"b": [2, {"c": 3}], "a": 1}, "created_at": NOW - timedelta(days=1)}
    assert decode([good(**same), good(**reordered)]).repeats == 1
    others: list[dict[str, Any]] = [
        {"data": {"a": 1, "b": [2, {"c": 4}]}},
        {"type": "other"},
        {"message": "other"},
        {"sender": "other"},
        {"recipient": "other"},
        {"expires_at": NOW + timedelta(hours=2)},
        {"deliver_at": NOW - timedelta(hours=1)},
        {"collapse_key": "other"},
    ]
    for other in others:
        assert [letter.reason for letter in decode([good(**same), good(**same | other)]).dead] == [Reason.ID_CONFLICT]


def test_an_expired_one_is_stored_as_expired_and_unannounced() -> None:
    (entry,) = decode([good(expires_at=NOW)]).entries.values()
    [document] = raw_documents.encode([entry], Lane.NORMAL, NOW, NOW)
    assert entry.expired
    assert (document["state"], document["unread"], document["unannounced"]) == (State.EXPIRED, None, True)


def test_a_document_carries_its_place_and_the_clients_item() -> None:
    (entry,) = decode([good(data={"k": [1, None, "ü"]}, collapse_key="c")], generation=3).entries.values()
    [raw] = raw_documents.encode([entry], Lane.HIGH, NOW, NOW + timedelta(days=limits.KEEP_DAYS))
    document = bson.decode(raw.raw, OPTIONS)
    assert document["ord"] == order.pack(3, 7)
    assert document["collapse_key"] == "c"
    item = msgspec.json.decode(document["body"])
    assert item["ord"] == [3, 7]
    assert item["data"] == {"k": [1, None, "ü"]}
    assert document["purge_at"] == NOW + timedelta(days=limits.KEEP_DAYS)
    assert document["created_at"] == datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC)


def test_a_record_in_the_wrong_partition_is_moved_with_its_id() -> None:
    right = partition_of("ann", 4)
    wrong = (right + 1) % 4
    here = decode_window([batch([good()], partition=right)], Lane.NORMAL, 0, 4, NOW)
    moved = decode_window([batch([good(), b"{"], partition=wrong)], Lane.NORMAL, 0, 4, NOW)
    assert len(here.entries) == 1
    assert not here.moved
    assert not moved.entries
    assert len(moved.dead) == 1
    assert [m.partition for m in moved.moved] == [right]
    assert moved.moved[0].notification.id is not None
    [record] = moved_records(Names("p-").notifications(Lane.NORMAL), moved.moved)
    assert (record["topic"], record["partition"], record["key"]) == ("p-notifications.normal", right, b"ann")
    again = decode_window([batch([record["value"]], first=99, partition=right)], Lane.NORMAL, 0, 4, NOW)
    assert [e.id for e in again.entries.values()] == [moved.moved[0].notification.id]


def test_after_a_growth_a_record_has_its_id_and_a_higher_ord() -> None:
    (before,) = decode_window([batch([good()])], Lane.NORMAL, 2, 1, NOW).entries.values()
    (again,) = decode_window([batch([good()])], Lane.NORMAL, 3, 1, NOW, began=2).entries.values()
    (anew,) = decode_window([batch([good()])], Lane.NORMAL, 3, 1, NOW).entries.values()
    assert before.id == again.id != anew.id
    assert before.ord < again.ord == anew.ord


def test_a_replay_without_an_id_has_one_id_wherever_it_lands() -> None:
    known = facts(DeadLetter(b"x", None, Reason.INVALID, "", "t", 0, 1, 1, NOW, NOW).headers())
    assert known is not None
    headers = replay_headers(known, "notifications.low/0/1/00000000", 1, [])
    again = replay_headers(known, "notifications.low/0/1/00000000", 2, [])
    windows = [batch([good()], 7, headers=headers), batch([good()], 9, headers=again)]
    decoded = decode_window(windows, Lane.NORMAL, 0, 1, NOW)
    assert (len(decoded.entries), decoded.repeats) == (1, 1)
    assert set(decoded.entries) == {replayed_id("notifications.low/0/1/00000000")}
    plans = decode_plans(windows, 0, 1, NOW)
    assert set(plans.by_id) == set(decoded.entries)
    others = decode_window([batch([good()], 7), batch([good()], 9)], Lane.NORMAL, 0, 1, NOW)
    assert len(others.entries) == 2
