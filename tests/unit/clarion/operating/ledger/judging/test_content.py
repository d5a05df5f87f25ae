"""Digests of records and of what is stored of them agree exactly when a lane finds the same content."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.operating.ledger.judging import content
from clarion.operating.ledger.judging.rows import Row
from tests.unit.clarion.operating.ledger.judging.stored_records import document_of, entry_of, row

DUE = datetime(2026, 1, 2, 3, 4, 5, 678_912, tzinfo=UTC)
DATA: list[bytes] = [
    b"{}",
    b'{"a":1E2,"b":-0,"c":-0.0,"d":[1.0,{"e":true}]}',
    b'{"large":' + b"9" * 400 + b"}",
    '{"z":"ä","a":null}'.encode(),
]


def value_of(data: bytes = b"{}", **fields: Any) -> bytes:
    fields = {"type": "t", "message": "m", "recipient": "ann", "sender": "s", "id": new_id(), **fields}
    item = Notification(**fields)
    return notification.encode(item)[:-1] + b',"data":' + data + b"}"


def digest_of(value: bytes) -> bytes:
    kept = row(value)
    assert isinstance(kept, Row)
    return kept.content


def stored_digest_of(value: bytes) -> bytes:
    document = document_of(value)
    return content.of_stored(document, content.said_by(document["body"]))


@pytest.mark.parametrize("data", DATA)
def test_a_record_and_its_document_have_the_same_digest(data: bytes) -> None:
    for more in ({}, {"expires_at": DUE.replace(year=2028)}, {"deliver_at": DUE}, {"collapse_key": "k"}):
        value = value_of(data, **more)
        assert digest_of(value) == stored_digest_of(value)


numbers = st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))


@given(st.one_of(numbers, st.lists(numbers, max_size=3)), st.one_of(numbers, st.lists(numbers, max_size=3)))
def test_two_uses_have_one_digest_when_a_lane_calls_them_equal(first: Any, second: Any) -> None:
    one, other = (value_of(msgspec.json.encode({"n": n}), id=None) for n in (first, second))
    a, b = entry_of(one), entry_of(other)
    says_the_same = a.says_the_same(b.recipient, b.collapse_key, b.deliver_at, b.body)
    assert (digest_of(one) == digest_of(other)) == says_the_same


@pytest.mark.parametrize(
    "change",
    [
        {"recipient": "bob"},
        {"sender": "other"},
        {"type": "u"},
        {"message": "n"},
        {"collapse_key": "k"},
        {"deliver_at": DUE},
        {"expires_at": DUE.replace(year=2028)},
    ],
)
def test_each_part_of_the_content_makes_another_digest(change: dict[str, Any]) -> None:
    assert digest_of(value_of()) != digest_of(value_of(**change))


def test_the_lane_makes_another_digest_and_the_id_does_not() -> None:
    item = notification.decode(value_of())
    assert content.of_notification(item, Lane.LOW) != content.of_notification(item, Lane.HIGH)
    assert digest_of(value_of()) == digest_of(value_of(created_at=DUE))


def test_a_body_that_cannot_be_read_has_no_digest() -> None:
    assert content.of_stored(document_of(value_of()), content.said_by(b"{")) == b""
