"""The delivery protocol keeps its promises in every state that is reached: nothing lost, in order, to nobody else."""

import pytest

from tests.model.explorer import explore
from tests.model.random_walk import wander
from tests.model.world import scenarios
from tests.model.world.scenario import Scenario

pytestmark = pytest.mark.timeout(0)  # an exploration ends by itself


@pytest.mark.parametrize("scenario", scenarios.LARGE, ids=lambda scenario: scenario.name)
def test_no_random_way_breaks_anything_through(scenario: Scenario, seconds: float) -> None:
    found = wander(scenario, seconds)
    print(f"\n{scenario.name}: {found.states} ways, {found.steps} steps")
    assert not found.broken, f"{scenario.name}\n{found}"


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.name)
def test_nothing_is_broken_while(scenario: Scenario, seconds: float) -> None:
    found = explore(scenario, seconds)
    print(f"\n{scenario.name}\n{found}")
    assert not found.broken, f"{scenario.name}\n{found}"
