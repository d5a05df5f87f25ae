"""From a request's bytes to notifications: pure."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification, scheduling
from clarion.contracts.topics import Names
from clarion.security.tokens import Claims
from services.ingest.batch import parse_batch
from services.ingest.submission import Rejected
from tests.unit.ingest.submitted import NOW, SERVICE, submit

OPERATOR = Claims("ops", frozenset({"publish:any"}), 0)
READER = Claims("bob", frozenset({"subscribe"}), 0)


def rejected(claims: Claims = SERVICE, **fields: Any) -> tuple[int, list[tuple[str, str]]]:
    with pytest.raises(Rejected) as caught:
        submit(claims, **fields)
    return caught.value.status, [(error.pointer, error.code) for error in caught.value.errors]


def test_a_notification_is_from_the_tokens_subject() -> None:
    [found] = submit(recipient="bob", priority="urgent", data={"a": [1]})
    assert (found.sender, found.recipient, found.priority, found.created_at) == ("svc", "bob", Lane.URGENT, NOW)
    assert notification.decode(notification.encode(found)) == found


def test_many_recipients_get_one_each_in_their_order() -> None:
    found = submit(recipients=["c", "a", "b"])
    assert [n.recipient for n in found] == ["c", "a", "b"]
    assert len({n.id for n in found}) == 3


def test_a_key_makes_the_same_ids_for_the_same_submission() -> None:
    first, again = submit(key="k", recipients=["a", "b"]), submit(key="k", recipients=["a", "b"])
    assert [n.id for n in first] == [n.id for n in again]
    assert len({n.id for n in first}) == 2
    assert submit(key="k", recipient="a")[0].id != submit(OPERATOR, key="k", recipient="a")[0].id


def test_posts_fan_outs_and_lines_under_one_key_share_no_id() -> None:
    line, _ = parse_batch(b'{"type":"a","message":"x","recipient":"a"}', SERVICE, "k", NOW)
    ids = [
        submit(key="k", recipient="a")[0].id,
        submit(key="k", recipients=["a"])[0].id,
        submit(key="k#1", recipient="a")[0].id,
        submit(key="k#1", recipients=["a"])[0].id,
        line[1].id,
    ]
    assert len(set(ids)) == len(ids)


def test_a_key_makes_the_id_that_earlier_releases_made() -> None:
    """A client that retries across an upgrade must not publish twice."""
    assert submit(key="k", recipient="a")[0].id == "25e3faac-7c13-555c-867e-e0deeebbbdc8"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (422, [("/recipient", "required")])),
        ({"recipient": "a", "recipients": ["b"]}, (422, [("/recipients", "ambiguous")])),
        ({"recipients": ["a", "b", "a"]}, (422, [("/recipients/2", "duplicate")])),
        ({"recipient": "a", "v": 2}, (422, [("/v", "out_of_range")])),
        ({"recipient": "."}, (422, [("/recipient", "name")])),
        ({"recipients": ["a", "..", "b\n"]}, (422, [("/recipients/1", "name"), ("/recipients/2", "name")])),
        ({"recipient": "a", "message": "\u200b"}, (422, [("/message", "blank")])),
        ({"recipient": "a", "deliver_at": "2030-01-01T00:00:00Z"}, (422, [("/deliver_at", "too_far")])),
        (
            {"recipient": "a", "deliver_at": "2026-12-01T00:00:00Z", "expires_at": "2026-12-01T00:00:00Z"},
            (422, [("/expires_at", "before_delivery")]),
        ),
        ({"recipient": "a", "deliver_at": "9999-12-31T23:59:59-01:00"}, (422, [("/deliver_at", "out_of_range")])),
        ({"recipient": "a", "deliver_at": "2026-12-01T00:00:00"}, (422, [("/deliver_at", "timezone")])),
        ({"recipient": "a", "expires_at": "2020-01-01T00:00:00Z"}, (422, [("/expires_at", "past")])),
        ({"recipient": "a", "expires_at": "9999-12-31T23:59:59-01:00"}, (422, [("/expires_at", "out_of_range")])),
        ({"recipient": "a", "expires_at": "2030-01-01T00:00:00Z"}, (422, [("/expires_at", "too_far")])),
        ({"recipient": "a", "data": {"x": "y" * limits.DATA_BYTES}}, (422, [("/data", "too_large")])),
        ({"recipient": "a", "data": {"x": "y" * 9_000}, "message": "x" + "\0" * 4_095}, (422, [("", "too_large")])),
        ({"recipient": "a", "sender": "other"}, (403, [("/sender", "foreign_sender")])),
        ({"recipient": "a", "colour": "red"}, (422, [("/colour", "unknown_field")])),
        ({"deliver_at": "2030-01-01T00:00:00Z"}, (422, [("/recipient", "required"), ("/deliver_at", "too_far")])),
    ],
)
def test_what_is_invalid_is_named(fields: dict[str, Any], expected: tuple[int, list[tuple[str, str]]]) -> None:
    assert rejected(**fields) == expected


def test_a_message_that_shows_nothing_is_told_its_characters() -> None:
    with pytest.raises(Rejected) as caught:
        submit(recipient="a", message=" \u200b\u3164\ufeff")
    (error,) = caught.value.errors
    assert "U+0020 SPACE, U+200B ZERO WIDTH SPACE, U+3164 HANGUL FILLER, …" in error.detail
    assert "send a character that can be seen" in error.detail


def test_a_sender_that_no_address_holds_is_refused() -> None:
    assert rejected(OPERATOR, recipient="a", sender="..") == (422, [("/sender", "name")])


def test_data_nested_too_deep_is_named() -> None:
    data: dict[str, Any] = {}
    for _ in range(limits.DATA_DEPTH + 1):
        data = {"a": data}
    assert rejected(recipient="a", data=data) == (422, [("/data", "too_deep")])


def test_only_publish_any_may_name_another_sender() -> None:
    assert submit(OPERATOR, recipient="a", sender="svc")[0].sender == "svc"
    assert submit(SERVICE, recipient="a", sender="svc")[0].sender == "svc"
    assert rejected(READER, recipient="a") == (403, [("", "scope")])


def test_an_expiry_is_kept_in_utc_and_milliseconds() -> None:
    ahead = NOW.astimezone(UTC) + timedelta(hours=1, microseconds=7)
    [found] = submit(recipient="a", expires_at=ahead.isoformat())
    assert found.expires_at == NOW + timedelta(hours=1)


def test_what_is_due_later_is_held_under_an_id_of_that_time() -> None:
    later = NOW + timedelta(days=364)
    [found] = submit(recipient="a", deliver_at=(later + timedelta(microseconds=7)).isoformat())
    assert found.deliver_at == later
    assert found.id is not None
    assert int(found.id[:8] + found.id[9:13], 16) == later.timestamp() * 1000
    names = Names()
    assert scheduling.topic_of(names, found, NOW) == names.scheduled
    assert scheduling.topic_of(names, found, later) == names.notifications(Lane.NORMAL)
    [past] = submit(recipient="a", deliver_at=(NOW - timedelta(days=1)).isoformat(), priority="low")
    assert past.deliver_at == NOW - timedelta(days=1)
    assert scheduling.topic_of(names, past, NOW) == names.notifications(Lane.LOW)
