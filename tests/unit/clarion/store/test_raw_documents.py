"""Documents put together from parts hold what the driver's encoder would have made of the same fields."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import limits
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.order import MAX_ORD
from clarion.store import raw_documents

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
NOW = datetime(2026, 11, 25, 1, 2, 3, 4000, UTC)
KEEP_UNTIL = NOW + timedelta(days=30)
AT_MOST = NOW + timedelta(days=limits.EXPIRES_AHEAD_DAYS)

# a zone must not push them out of the calendar
EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2, 9998))


@dataclass
class New:
    id: str
    recipient: str
    type: str
    sender: str
    created_at: datetime
    available_at: datetime
    expires_at: datetime | None
    deliver_at: datetime | None
    collapse_key: str | None
    ord: int
    body: bytes
    expired: bool
    throttled: bool


zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-8))])
moments = st.datetimes(min_value=EARLIEST, max_value=LATEST, timezones=zones)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
maybe = st.none() | moments
new = st.builds(
    New,
    id=st.uuids().map(str),
    recipient=names,
    type=st.sampled_from(["a.b", "c"]),
    sender=names,
    created_at=moments,
    available_at=moments,
    expires_at=maybe,
    deliver_at=maybe,
    collapse_key=st.none() | names,
    ord=st.integers(0, MAX_ORD),
    body=st.binary(max_size=300),
    expired=st.booleans(),
    throttled=st.booleans(),
)


def fields(entry: New, lane: Lane) -> dict[str, Any]:
    pushed = not entry.expired and not entry.throttled
    document: dict[str, Any] = {
        "_id": entry.id,
        "recipient": entry.recipient,
        "lane": str(lane.value),
        "ord": entry.ord,
        "type": entry.type,
        "sender": entry.sender,
        "state": "pending" if pushed else "expired" if entry.expired else "throttled",
        "unread": None if entry.expired else True,
        "created_at": entry.created_at,
        "available_at": entry.available_at,
        "stored_at": NOW,
        "purge_at": min(max(entry.expires_at, KEEP_UNTIL), AT_MOST) if entry.expires_at else KEEP_UNTIL,
        "body": entry.body,
    }
    if entry.expires_at:
        document["expires_at"] = entry.expires_at
    if entry.deliver_at:
        document["deliver_at"] = entry.deliver_at
    if entry.collapse_key:
        document["collapse_key"] = entry.collapse_key
    if pushed:
        return document
    return document | {"deferred" if entry.throttled and entry.collapse_key else "unannounced": True}


@given(st.lists(new, max_size=4), st.sampled_from(LANES))
def test_a_document_is_what_the_drivers_encoder_would_make(entries: list[New], lane: Lane) -> None:
    made = raw_documents.encode(entries, lane, NOW, KEEP_UNTIL)
    for entry, document in zip(entries, made, strict=True):
        expected = bson.decode(bson.encode(fields(entry, lane)), OPTIONS)
        assert bson.decode(document.raw, OPTIONS) == expected
        assert document["_id"] == entry.id  # of one of which nothing but its bytes was asked before
        assert next(iter(document)) == "_id"  # else the server moves it, at a cost
        assert dict(document) == bson.decode(document.raw)
        assert bson.encode(document) == document.raw


@given(new)
def test_an_id_of_another_length_is_refused_and_not_cut(entry: New) -> None:
    entry.id += "\n"
    with pytest.raises(ValueError, match="36"):
        raw_documents.encode([entry], Lane.LOW, NOW, KEEP_UNTIL)
