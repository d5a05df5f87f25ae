"""Unit costs are found again in what was made of them, and none is below 0."""

import random
from dataclasses import astuple

import pytest

from tests.growth.unit_costs import Sample, UnitCosts, fitted, of_unit, two_costs

COSTS = UnitCosts(
    ingest_item=110,
    lane_item=40,
    lane_window=1_500,
    lane_record=150,
    lane_alone=900,
    receipts_item=100,
    receipts_record=900,
    receipts_alone=600,
    gateway_item=45,
    gateway_record=1_200,
    gateway_alone=400,
    mongodb_item=200,
    mongodb_window=3_000,
    mongodb_alone=1_000,
    kafka_item=30,
    kafka_record=700,
    kafka_alone=500,
)
SINGLE = Sample(
    1.0,
    1.0,
    1.0,
    {"lane": 900e-6, "receipts": 600e-6, "gateway": 400e-6, "mongodb": 1_000e-6, "kafka": 500e-6},
    {},
    {},
)
ARMS = ((1, 1, 200), (1, 1, 400), (1, 1, 800), (2, 1, 800), (3, 1, 800), (4, 1, 800), (2, 1, 400), (1, 3, 800))


def sample(gateways: int, workers: int, rate: int, chance: random.Random, noise: float) -> Sample:
    """Six seconds of what these costs make, each with some noise."""
    count, windows = 6.0 * rate, 6.0 * 20 * workers
    records = windows * gateways
    busy = {
        "ingest": COSTS.ingest_item * count,
        "lane": COSTS.lane_item * count + COSTS.lane_window * windows + COSTS.lane_record * records,
        "receipts": COSTS.receipts_item * count + COSTS.receipts_record * records,
        "gateway": COSTS.gateway_item * count + COSTS.gateway_record * records,
        "mongodb": COSTS.mongodb_item * count + COSTS.mongodb_window * windows,
        "kafka": COSTS.kafka_item * count + COSTS.kafka_record * records,
    }
    noisy = {role: us / 1e6 * chance.uniform(1 - noise, 1 + noise) for role, us in busy.items()}
    return Sample(count, 6.0, windows, noisy, dict.fromkeys(busy, 0.01), dict.fromkeys(busy, 0))


def found(noise: float) -> UnitCosts:
    chance = random.Random(3)
    return fitted([(g, w, sample(g, w, rate, chance, noise)) for g, w, rate in ARMS], SINGLE)


def test_unit_costs_are_found_again() -> None:
    assert astuple(found(0)) == pytest.approx(astuple(COSTS), rel=1e-6)


def test_noise_leaves_a_gateway_s_costs_near() -> None:
    costs = found(0.03)
    whole = COSTS.gateway_item * 800 + COSTS.gateway_record * 20 * 4
    assert costs.gateway_item * 800 + costs.gateway_record * 20 * 4 == pytest.approx(whole, rel=0.15)


def test_no_cost_is_below_zero() -> None:
    assert two_costs([(1, 10, 100), (1, 20, 190), (1, 40, 410)])[0] >= 0
    assert two_costs([(1, 10, 10), (2, 10, 20), (4, 10, 40)]) == pytest.approx((10, 0), abs=1e-6)


def test_no_notification_costs_more_than_alone() -> None:
    assert of_unit(10, each=45, shared=1_200, alone=400) == 10 * 45 + 1_200
    assert of_unit(1, each=45, shared=1_200, alone=400) == 400


def test_what_always_goes_together_costs_once() -> None:
    assert two_costs([(1, 2, 10), (2, 4, 20)]) == (10, 0)


def test_unit_costs_are_read_again_from_a_report() -> None:
    assert UnitCosts.of(COSTS.rows()) == COSTS
