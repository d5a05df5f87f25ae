"""The explorer can be believed: states that it takes for one behave alike, and what is broken ends its trace."""

from collections.abc import Hashable
from itertools import islice

import pytest

from tests.model.beginning import beginning
from tests.model.explorer import after, explore, steps_from
from tests.model.rules import RULES
from tests.model.world import scenarios
from tests.model.world.scenario import Scenario
from tests.model.world.world import World

pytestmark = pytest.mark.timeout(0)

EXPANDED = 700


def followers(w: World) -> dict[str, Hashable]:
    return {str(step): after(w, step).key() for step in steps_from(w)}


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.name)
def test_states_of_one_key_have_the_same_steps_and_outcomes(scenario: Scenario) -> None:
    """Else a part's key leaves something out, and what lies behind one of two states is never seen."""
    first: dict[Hashable, dict[str, Hashable]] = {}
    worlds = [beginning(scenario)]
    worlds[0].key()
    for w in islice(worlds, EXPANDED):
        found = followers(w)
        known = first.setdefault(w.key(), found)
        assert found == known
        if known is found:
            for step in steps_from(w):
                following = after(w, step)
                following.key()
                worlds.append(following)


def test_a_trace_leads_from_the_beginning_to_what_is_broken() -> None:
    rule = RULES[0]
    found = rule.broken(60)
    assert not found.is_complete
    assert found.trace[0] in followers(beginning(rule.scenario))
    assert "never receives" in found.broken


def test_a_small_world_is_explored_to_its_end() -> None:
    found = explore(scenarios.RETRACTED, 60)
    assert found.is_complete
    assert found.states > 100
