from collections import Counter

import pytest

from clarion.contracts.lanes import Lane
from clarion.operating.bench.plan import SHARES, Plan, PlanError


def check(plan: Plan, recipient_rate: float = 10, connections_per_ip: int = 100) -> None:
    plan.check(recipient_rate=recipient_rate, connections_per_ip=connections_per_ip)


def test_the_default_load_is_within_all_limits() -> None:
    check(Plan(50, 10, 20))


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (Plan(2_001, 10, 90), "--rate"),
        (Plan(0, 10, 90), "--rate"),
        (Plan(50, 601, 20), "--for"),
        (Plan(50, 10, 0), "--users"),
        (Plan(2_000, 101, 90), "--rate times --for"),
        (Plan(50, 10, 91), "CLARION_CONNECTIONS_PER_IP"),
        (Plan(500, 10, 20), "--users 26"),
    ],
)
def test_a_load_above_a_cap_is_refused_by_name(plan: Plan, named: str) -> None:
    with pytest.raises(PlanError, match=named):
        check(plan)


def test_limits_of_0_are_none() -> None:
    check(Plan(2_000, 10, 1_000), recipient_rate=0, connections_per_ip=0)


def test_notifications_are_even_in_time_and_random_otherwise() -> None:
    plan = Plan(100, 10, 5)
    planned = list(plan.notifications())
    assert len(planned) == plan.total == 1_000
    assert [one.at for one in planned[:3]] == [0, 0.01, 0.02]
    lanes, users = Counter(one.lane for one in planned), Counter(one.user for one in planned)
    for lane, share in SHARES.items():
        assert abs(lanes[lane] / 1_000 - share) < 0.05
    assert set(users) == set(range(5))
    assert Lane.URGENT in {one.lane for one in planned if one.user == 0}
    assert planned == list(plan.notifications())
