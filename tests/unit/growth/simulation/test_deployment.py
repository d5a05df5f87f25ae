"""What a deployment costs follows from its windows, records and unit costs; the million is that of docs/capacity.md."""

from dataclasses import replace

import pytest

from clarion.contracts.lanes import LANES, Lane
from tests.growth.simulation import bends, hot
from tests.growth.simulation.deployment import Connects, million
from tests.growth.simulation.measured import gateways, workers
from tests.unit.growth.simulation.test_storm import SMALL
from tests.unit.growth.test_unit_costs import COSTS, sample


class Calm:
    """No noise, where a `random.Random` makes some."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def test_a_window_has_a_record_for_each_gateway_it_concerns() -> None:
    one = replace(SMALL, gateways=1)
    assert one.records == pytest.approx(sum(map(one.windows_of, LANES)))
    many = replace(SMALL, gateways=100_000)
    assert many.records == pytest.approx(SMALL.rate, rel=0.01)  # hardly two in a window have the same gateway


def test_normal_closes_ten_windows_a_second_a_worker() -> None:
    assert SMALL.windows_of(Lane.NORMAL) == pytest.approx(20)


def test_a_lane_with_few_notifications_has_a_window_for_each() -> None:
    assert replace(SMALL, rate=10).windows_of(Lane.NORMAL) == pytest.approx(5)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_simulation_foretells_what_its_costs_make(count: int) -> None:
    calm: object = Calm()
    made = sample(count, 1, 800, calm, 0)  # pyright: ignore[reportArgumentType]
    assert gateways(COSTS, made, count, 800).off < 0.02
    many = sample(1, count, 800, calm, 0)  # pyright: ignore[reportArgumentType]
    assert workers(COSTS, many, count, 800).off < 0.02


def test_the_million_is_that_of_the_capacity_page() -> None:
    of = million(COSTS, Connects(2_000, 1_000))
    assert (of.connections, of.rate, of.gateways) == (1_000_000, 10_000, 100)
    assert sum(of.shares.values()) == pytest.approx(1)


def test_loads_are_sorted_by_how_busy_they_are() -> None:
    found = [one.busy for one in bends.loads(SMALL)]
    assert found == sorted(found, reverse=True)
    assert len(found) == 6 + len(LANES)


def test_a_hot_recipient_is_limited_in_all_lanes_but_urgent() -> None:
    limited, client = hot.recipient(SMALL, Lane.NORMAL, 0.05)[3:]
    free = hot.recipient(SMALL, Lane.URGENT, 0.05)[3]
    assert limited.busy - limited.busy_before < 0.02 * (free.busy - free.busy_before)
    assert client.busy < 1


def test_what_is_hot_fills_a_part_at_the_rate_that_is_told() -> None:
    part = hot.Part("one", 0.2, 0.4)
    assert part.full_at(1_000) == pytest.approx(4_000)


def test_a_hot_partition_makes_one_worker_busier() -> None:
    part = hot.partition(SMALL, Lane.NORMAL)
    assert part.busy > part.busy_before
