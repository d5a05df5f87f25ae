"""Which dead letters are told to their senders."""

from datetime import UTC, datetime

import msgspec
import pytest

from clarion.contracts import times, trace
from clarion.contracts.ids import new_id
from clarion.contracts.records import receipts
from clarion.contracts.records.dead_letters import DeadLetter, Headers, Reason
from clarion.contracts.records.receipts import Op
from services.stream.steps.dead_receipts import dead_receipts

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ID = new_id()
NAMED = {"id": ID, "type": "t", "recipient": "ann", "sender": "svc"}


def letter(value: bytes, own: Headers = ()) -> DeadLetter:
    return DeadLetter(value, b"ann", Reason.INVALID, "e" * 1_000, "lane", 1, 7, 1, times.from_ms(5), NOW, own)


def test_a_letter_that_names_its_notification_is_told() -> None:
    (told,) = dead_receipts([letter(msgspec.json.encode(NAMED | {"message": 7, "data": []}))], NOW)
    assert (told.user, told.op, told.ids, told.at) == ("ann", Op.DEAD, [ID], NOW)
    assert told.dead is not None
    assert (told.dead.sender, told.dead.created_at, told.dead.offset) == ("svc", times.from_ms(5), 7)
    assert len(told.dead.error) < 1_000
    assert receipts.decode(receipts.encode(told)) == told


@pytest.mark.parametrize("lacking", ["id", "recipient", "sender", "type"])
def test_a_letter_that_names_no_notification_is_told_to_nobody(lacking: str) -> None:
    named = {name: value for name, value in NAMED.items() if name != lacking}
    values = [
        msgspec.json.encode(named),
        msgspec.json.encode(NAMED | {lacking: "\n" * 200}),
        b"\xff",
        b"",
        b"[" * 10_000,
    ]
    assert dead_receipts(map(letter, values), NOW) == []


def test_the_receipt_has_the_record_s_trace_in_its_header() -> None:
    own = trace.begun_by(ID, sampled=False)
    (told,) = dead_receipts([letter(msgspec.json.encode(NAMED), [trace.header(own)])], NOW)
    assert receipts.headers(told) == [trace.header(own)]
    assert b"traceparent" not in receipts.encode(told)
