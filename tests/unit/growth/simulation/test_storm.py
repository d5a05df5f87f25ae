"""A storm ends, costs what its parts cost, and is worse where there is less of what it needs."""

from dataclasses import replace

import pytest

from clarion.contracts.lanes import LANES, Lane
from tests.growth.simulation.deployment import Connects, Deployment
from tests.growth.simulation.storm import BEFORE_S, Storm
from tests.unit.growth.test_unit_costs import COSTS

SMALL = Deployment(
    COSTS,
    Connects(gateway=1_500, mongodb=1_000),
    connection_idle=4.0,
    single_item=1_200,
    connections=40_000,
    rate=1_000,
    gateways=10,
    shares=dict(zip(LANES, (0.05, 0.15, 0.5, 0.3), strict=True)),
    workers=dict.fromkeys(LANES, 2),
    receipts_workers=2,
    ingest_workers=3,
    mongodb_cores=8,
)


def run(of: Deployment, share: float = 1 / 3, away_s: float = 0.0) -> Storm:
    storm = Storm(of, share, away_s, seed=1)
    storm.run()
    return storm


def test_all_are_back_at_the_end() -> None:
    storm = run(SMALL)
    assert storm.clients.back == storm.cut == round(4_000 / 3)
    assert storm.moments[-1].back == 1


def test_the_same_seed_makes_the_same_storm() -> None:
    assert run(SMALL).moments == run(SMALL).moments


def test_calm_costs_what_its_parts_cost() -> None:
    storm = run(SMALL, share=0.0)
    for moment in storm.moments[1:]:
        assert moment.gateway_busy == pytest.approx(SMALL.gateway_cores, rel=0.01)
        assert moment.mongodb_busy * SMALL.mongodb_cores == pytest.approx(SMALL.mongodb_cores_busy, rel=0.02)


def test_every_lane_meets_its_objective_in_calm() -> None:
    late = run(SMALL, share=0.0).moments[-1].late_s
    assert late[Lane.URGENT] < 0.05
    assert late[Lane.HIGH] < 0.1
    assert late[Lane.NORMAL] < 0.3
    assert late[Lane.LOW] < 2


def test_a_small_store_makes_lanes_late() -> None:
    calm, short = run(SMALL), run(replace(SMALL, mongodb_cores=1.2 * SMALL.mongodb_cores_busy))
    assert max(m.late_s[Lane.NORMAL] for m in short.moments) > max(m.late_s[Lane.NORMAL] for m in calm.moments)
    assert short.moments[-1].at > calm.moments[-1].at


def test_urgent_goes_live_without_the_store() -> None:
    crowded = replace(SMALL, gateways=100, connections=400_000, mongodb_cores=1.0, connects=Connects(100, 1_000))
    storm = run(crowded, share=0.1)
    assert max(m.late_s[Lane.URGENT] for m in storm.moments) < 0.5
    assert max(m.late_s[Lane.NORMAL] for m in storm.moments) > 1


def test_a_lower_limit_keeps_the_loop_free() -> None:
    free = run(replace(SMALL, connects=Connects(gateway=4_000, mongodb=500), upgrades_per_s=100))
    full = run(replace(SMALL, connects=Connects(gateway=4_000, mongodb=500), upgrades_per_s=500))
    assert max(m.gateway_wait_s for m in free.moments) < max(m.gateway_wait_s for m in full.moments)


def test_nothing_happens_before_the_cut() -> None:
    storm = run(SMALL)
    before = [moment for moment in storm.moments if moment.at < 0]
    assert len(before) == BEFORE_S
    assert all(moment.connects_per_s == 0 for moment in before)
