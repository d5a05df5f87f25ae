from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clarion.operating import samples
from clarion.operating.doctor import clocks
from clarion.operating.doctor.check import Result
from clarion.operating.doctor.clocks import SKEW_FAILED_S, SKEW_WARNING_S, skew
from clarion.operating.processes import ProcessView
from clarion.settings import Settings

AT = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead_s", "inaccurate_s", "result"),
    [
        (0.1, 0.0, Result.OK),
        (SKEW_WARNING_S, 0.0, Result.WARNING),
        (-SKEW_WARNING_S, 0.0, Result.WARNING),
        (SKEW_WARNING_S, 0.5, Result.OK),  # the answer took so long that it may be the network
        (-SKEW_FAILED_S, 0.0, Result.FAILED),
    ],
)
def test_a_clock_is_judged_by_how_far_it_is_off(ahead_s: float, inaccurate_s: float, result: Result) -> None:
    assert skew("Kafka", ahead_s, inaccurate_s).result is result


def test_the_direction_is_told() -> None:
    assert "2.000 s behind" in skew("Kafka", -2, 0).evidence
    assert "2.000 s ahead" in skew("Kafka", 2, 0).evidence


def test_a_record_tells_when_it_was_made_if_it_is_ours() -> None:
    made = AT - timedelta(seconds=3)
    assert clocks._made(b'{"created_at": "2026-11-29T23:59:57Z"}', AT) == made
    assert clocks._made(b'{"at": "2026-11-29T23:59:57Z", "user": "u"}', AT) == made
    for other in (b"", b"{", b"{}", b'{"at": "2026-11-29T23:59:57"}'):
        assert clocks._made(other, AT) == AT


class Observed:
    """A system whose observer has measured clocks."""

    def __init__(self, *skews: tuple[str, float]) -> None:
        self.settings = Settings(env="dev", mongodb="mongodb://store:27017/?replicaSet=rs0")
        lines = [f'clarion_clock_skew_seconds{{server="{name}"}} {ahead}' for name, ahead in skews]
        self.exported = samples.parse("\n".join([*lines, ""]))

    async def processes(self) -> list[ProcessView]:
        return [ProcessView("observer", "http://observer:9400", status="ok", samples=self.exported)]


async def test_what_the_observer_measures_of_brokers_counts() -> None:
    system: Any = Observed(("store:27017", 90.0), ("a:9092", 0.5), ("b:9092", -40.0))
    outcome = await clocks.broker_clock(system)
    assert outcome.result is Result.FAILED
    assert "the broker b:9092's clock is 40.000 s behind" in outcome.evidence
