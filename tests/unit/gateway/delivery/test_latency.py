"""How long a notification took is observed whatever its id, from when it could be had first."""

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest

from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.deliveries import Addressed
from clarion.telemetry import metrics
from services.gateway.delivery import latency

DERIVED = str(uuid5(NAMESPACE_URL, "key"))


def body(created_at: datetime, available_at: datetime | None = None) -> msgspec.Raw:
    known = {"created_at": times.rfc3339(created_at)}
    if available_at:
        known["available_at"] = times.rfc3339(available_at)
    return msgspec.Raw(msgspec.json.encode(known))


def observed(id_: str, *bodies: msgspec.Raw) -> tuple[float, float]:
    """How many were observed more, and how many seconds."""

    def told() -> tuple[float, float]:
        samples = [one for family in metrics.delivery_seconds.collect() for one in family.samples]
        low = {one.name: one.value for one in samples if one.labels.get("lane") == "low" and "le" not in one.labels}
        return low.get("clarion_delivery_seconds_count", 0), low.get("clarion_delivery_seconds_sum", 0)

    before = told()
    latency.observe([Addressed("ann", Lane.LOW, (0, 1), id_, of) for of in bodies])
    after = told()
    return after[0] - before[0], after[1] - before[1]


def test_an_id_that_was_just_made_says_when() -> None:
    count, seconds = observed(new_id(), msgspec.Raw(b"{}"))
    assert count == 1
    assert 0 <= seconds < 0.2


def test_an_id_made_of_a_key_counts_by_its_creation() -> None:
    count, seconds = observed(DERIVED, body(times.now() - timedelta(seconds=3)))
    assert count == 1
    assert seconds == pytest.approx(3, abs=0.5)


def test_what_was_scheduled_counts_from_when_it_was_due() -> None:
    an_hour_ago = times.now() - timedelta(hours=1)
    old_id = f"{int(an_hour_ago.timestamp() * 1000):012x}"
    id_ = f"{old_id[:8]}-{old_id[8:]}-7abc-8def-0123456789ab"
    count, seconds = observed(id_, body(an_hour_ago, times.now() - timedelta(seconds=1)))
    assert count == 1
    assert seconds == pytest.approx(1, abs=0.5)


def test_what_tells_no_time_is_not_observed() -> None:
    assert observed(DERIVED, msgspec.Raw(b"{}")) == (0, 0)
    assert observed(DERIVED, msgspec.Raw(b'{"created_at": "yesterday"}')) == (0, 0)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 100, 999])
def test_some_of_many_late_ones_stand_for_all(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    looked_into: list[msgspec.Raw] = []
    look = latency._available_ms

    def counting(body: msgspec.Raw) -> float:
        looked_into.append(body)
        return look(body)

    monkeypatch.setattr(latency, "_available_ms", counting)
    now = times.now()
    late = [body(now - timedelta(seconds=1 + 2 * (number / count))) for number in range(count)]
    observed_, seconds = observed(DERIVED, *late)
    assert observed_ == count
    assert seconds / count == pytest.approx(2, abs=1 if count < 9 else 0.4)
    assert len(looked_into) <= latency.LOOKED_INTO
