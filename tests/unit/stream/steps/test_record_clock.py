"""Moments that others claim: within the contract's limits they stand, beyond them Kafka's or this clock decides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import msgspec
import pytest
from bson.codec_options import CodecOptions

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import limits, times
from clarion.contracts.api import frames
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.deliveries import Addressed
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.scheduling import RELEASED
from clarion.contracts.topics import Names
from clarion.store import raw_documents
from clarion.telemetry import metrics
from services.gateway.delivery import latency
from services.stream.scheduler.decode import decode_plans
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.records import dead_letter_records
from tests.unit.records import TIMESTAMP_MS, TOPIC, record

CAME = datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC)
NOW = CAME + timedelta(seconds=5)
AHEAD, BEHIND = timedelta(seconds=limits.CREATED_AHEAD_S), timedelta(days=limits.CREATED_BEHIND_DAYS)
OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
NO_TIME = [-(2**63), -1, 0, TIMESTAMP_MS // 1000, 4_102_444_800_000, 2**63 - 1]  # also 1970, seconds and 2100


def good(**fields: object) -> bytes:
    given = {"type": "a.b", "message": "hi", "recipient": "ann", "sender": "bob", **fields}
    return notification.encode(Notification(**given))  # type: ignore[arg-type]


def taken(value: bytes, timestamp_ms: int = TIMESTAMP_MS) -> RecordBatch:
    return RecordBatch(Partition(TOPIC, 0), [record(value, timestamp_ms=timestamp_ms)], 0, 1)


def decode(value: bytes, timestamp_ms: int = TIMESTAMP_MS) -> Decoded:
    return decode_window([taken(value, timestamp_ms)], Lane.NORMAL, 0, 1, NOW)


@pytest.mark.parametrize(
    "claimed", [datetime(2099, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
def test_an_impossible_time_of_creation_gives_way_to_arrival(claimed: datetime) -> None:
    (entry,) = decode(good(created_at=claimed)).entries.values()
    assert entry.created_at == CAME
    assert msgspec.json.decode(entry.body)["created_at"] == times.rfc3339(CAME)
    (plan,) = decode_plans([taken(good(created_at=claimed, deliver_at=NOW))], 0, 1, NOW).by_id.values()
    assert plan.notification.created_at == CAME


@pytest.mark.parametrize("claimed", [NOW + AHEAD, NOW - BEHIND, NOW - timedelta(days=7), CAME])
def test_within_the_limits_the_senders_word_stands(claimed: datetime) -> None:
    (entry,) = decode(good(created_at=claimed)).entries.values()
    assert entry.created_at == claimed


@pytest.mark.parametrize("stamp", NO_TIME)
def test_a_stamp_of_no_use_gives_way_to_this_clock(stamp: int) -> None:
    for value in (good(), good(created_at=datetime.max.replace(tzinfo=UTC))):
        (entry,) = decode(value, stamp).entries.values()
        assert entry.created_at == NOW
        (plan,) = decode_plans([taken(value, stamp)], 0, 1, NOW).by_id.values()
        assert plan.notification.created_at == NOW
    for dead in (decode(b"{bad", stamp).dead, decode_plans([taken(b"{bad", stamp)], 0, 1, NOW).dead):
        (letter,) = dead_letter_records(Names(), dead)
        assert dict(letter["headers"])["first_seen"]


@pytest.mark.parametrize(
    ("claimed", "due", "headers", "expected"),
    [
        (NOW - timedelta(hours=1), None, (), NOW - timedelta(hours=1)),
        (NOW + timedelta(seconds=9), None, (), NOW),  # no clock ahead puts anything on top for a while
        (NOW - timedelta(days=3), NOW - timedelta(minutes=1), ((RELEASED, b""),), CAME),
        (NOW - timedelta(days=3), CAME + timedelta(seconds=1), ((RELEASED, b""),), CAME + timedelta(seconds=1)),
        (NOW - timedelta(days=3), datetime.max.replace(tzinfo=UTC), ((RELEASED, b""),), NOW),  # made up
        (NOW - timedelta(hours=1), NOW - timedelta(minutes=1), (), NOW - timedelta(minutes=1)),
        (NOW - timedelta(hours=1), datetime.min.replace(tzinfo=UTC), (), NOW - timedelta(hours=1)),
    ],
)
def test_what_was_scheduled_is_available_once_due_and_released(
    claimed: datetime, due: datetime | None, headers: tuple[tuple[str, bytes], ...], expected: datetime
) -> None:
    found = record(good(created_at=claimed, deliver_at=due), headers=headers, by_broker=True)
    taken = RecordBatch(Partition(TOPIC, 0), [found], 0, 1)
    (entry,) = decode_window([taken], Lane.NORMAL, 0, 1, NOW).entries.values()
    assert (entry.created_at, entry.available_at) == (claimed, expected)
    item = frames.decode_item(msgspec.Raw(entry.body))
    assert (item.created_at, item.available_at) == (times.rfc3339(claimed), times.rfc3339(expected))


def test_an_expiry_in_the_far_future_keeps_nothing_for_good() -> None:
    """Ingest refuses it. Of what came before it did, or straight from Kafka, nothing is lost."""
    last = datetime.max.replace(tzinfo=UTC)
    (entry,) = decode(good(expires_at=last)).entries.values()
    [document] = raw_documents.encode([entry], Lane.NORMAL, NOW, NOW + timedelta(days=limits.KEEP_DAYS))
    found = bson.decode(document.raw, OPTIONS)
    assert found["expires_at"] == last.replace(microsecond=999_000)
    assert found["purge_at"] == NOW + timedelta(days=limits.EXPIRES_AHEAD_DAYS)


@pytest.mark.parametrize("deliver_at", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_a_delivery_in_no_time_to_come_or_long_ago_fails_nothing(deliver_at: datetime) -> None:
    decoded = decode(good(deliver_at=deliver_at))
    assert len(decoded.entries) + len(decoded.early) == 1
    plans = decode_plans([taken(good(deliver_at=deliver_at))], 0, 1, NOW)
    assert len(plans.by_id) + len(plans.dead) == 1


def test_an_id_of_another_age_does_not_count_as_waiting() -> None:
    def told() -> list[object]:
        return [
            (sample.name, sample.labels, sample.value)
            for one in metrics.delivery_seconds.collect()
            for sample in one.samples
        ]

    before = told()
    ids = ["00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"]
    latency.observe([Addressed("ann", Lane.NORMAL, (0, 1), id_, msgspec.Raw(b"{}")) for id_ in ids])
    assert told() == before
