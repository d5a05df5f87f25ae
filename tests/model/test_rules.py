"""Each rule of delivery is needed: without it the model finds how a promise is broken, by the shortest way."""

import pytest

from tests.model.rules import RULES, Rule

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]  # an exploration ends by itself

WITHIN_S = 100.0  # a few seconds are enough: the bound is for a machine that is busy


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_it_is_not_enough_without(rule: Rule) -> None:
    found = rule.broken(WITHIN_S)
    print(f"\nwithout {rule}\n{found}")
    assert found.broken, f"{rule.id} is not needed in this scenario\n{found}"
