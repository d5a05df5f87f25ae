"""The lane's cheap reading of a record accepts exactly what the contract does, and reads the same."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clarion.contracts import limits
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Invalid
from services.stream.steps import fast_decode

GOOD: dict[str, Any] = {"type": "a.b", "message": "hi", "recipient": "ann", "sender": "bob"}
ID = "019353f5-0f2a-7c11-8a5b-0123456789ab"
ids = st.one_of(
    st.just(ID),
    st.uuids().map(str),
    st.sampled_from(
        [ID.upper(), ID + "\n", ID[:-1], ID.replace("7c", "0c"), ID.replace("8a", "7a"), ID[:-1] + "é", ""]
    ),
    st.text(max_size=40),
)
types = st.one_of(st.from_regex(limits.TYPE_PATTERN), st.sampled_from(["A", "a b", "", "x" * 65]), st.text(max_size=5))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4))
data = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
moments = st.one_of(
    st.sampled_from(["2026-11-24T01:02:03.004000Z", "9999-12-31T23:59:59-01:00", "2026-11-24T01:02:03", "now"]),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))])).map(datetime.isoformat),
)
MESSAGES = st.sampled_from(["hi", "é", " ", "\u200b", "\u3164", " \u2800 ", "\ufe0f", "\u200bx", "\u2764\ufe0f"])
fields = st.fixed_dictionaries(
    {
        "type": types,
        "message": MESSAGES,
        "recipient": st.sampled_from(["ann", "é", ".", "..", "...", "a\tb", "\u00a0", "a" * 129]),
        "sender": st.sampled_from(["bob", "..", "s\x7f"]),
    },
    optional={
        "id": ids,
        "data": st.one_of(data, st.dictionaries(st.text(max_size=3), data)),
        "created_at": moments,
        "expires_at": moments,
        "deliver_at": moments,
        "priority": st.sampled_from(["low", "urgent", "huge"]),
        "unknown": data,
    },
)


def told(read: Any, value: bytes) -> tuple[str, Any]:
    try:
        return "read", msgspec.structs.asdict(read(value))
    except Invalid as error:
        return error.code, str(error)


@given(st.one_of(fields.map(msgspec.json.encode), st.binary(max_size=60)))
@example(b'{"type":"a","message":"m","recipient":"r","sender":"s","data":{"a":1e999}}')
@example(b'{"type":"a","message":"m","recipient":"r","sender":"s","data":{"a":"\xff"}}')
@example(msgspec.json.encode(GOOD | {"data": {"a": "x" * limits.DATA_BYTES}}))
@example(msgspec.json.encode(GOOD | {"message": "x" * 5_000}))
def test_it_reads_and_refuses_what_the_contract_does(value: bytes) -> None:
    assert told(fast_decode.decode, value) == told(notification.decode, value)


@pytest.mark.parametrize("levels", [limits.DATA_DEPTH, limits.DATA_DEPTH + 1])
@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_depth_is_judged_the_same(levels: int, opening: bytes) -> None:
    closing = b"}" if opening[:1] == b"{" else b"]"
    nested = b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"
    value = msgspec.json.encode(GOOD | {"data": msgspec.Raw(nested)})
    assert told(fast_decode.decode, value) == told(notification.decode, value)
    assert told(fast_decode.decode, value)[0] == ("read" if levels <= limits.DATA_DEPTH else "too_deep")
