"""The live system goes the model's ways (tests/model/README.md): those on which a rule is needed, and random ones."""

import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.live import checks, driver, schedules
from tests.live.ending import ENDS_WITHIN_S, settle
from tests.live.schedules import Schedule
from tests.live.stage import MAILBOXES, settings_of, stage
from tests.model.rules import RULES, Rule
from tests.model.world import scenarios
from tests.own_settings import own_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]  # a schedule ends by itself

TIMELESS = {rule.id: rule for rule in RULES if "hour passes" not in rule.scenario.faults}
# Rules of production classes without which the live system, too, breaks on the schedule that breaks the model.
BREAKING = ["D-live-mark", "D-session-epoch", "D-gap-read", "D-commit-prefix", "D-emit-again"]
BROKEN_AFTER_S = 1.0  # what still has not come is not on its way: all are let go on, and each step takes milliseconds


@pytest.fixture(scope="module")
async def own(stack: Stack) -> AsyncGenerator[Settings]:
    partitions = {"CLARION_PARTITIONS_LANE": "1", "CLARION_PARTITIONS_DELIVERIES": str(MAILBOXES)}
    async with own_settings(stack, **partitions) as settings:
        yield settings_of(settings)


async def perform(
    own: Settings, schedule: Schedule, without: Rule | None = None, within_s: float = ENDS_WITHIN_S
) -> tuple[list[str], list[str]]:
    """What is wrong in the end, and the steps that the live system did not do, or did otherwise."""
    async with stage(own, schedule) as live:
        with pytest.MonkeyPatch.context() as patch:
            if without is not None and without.without is not None:
                without.without(patch)
            await driver.perform(live)
            await settle(live, within_s)
            return await checks.wrongs(live), live.refused + live.differs


@pytest.mark.parametrize("rule", TIMELESS.values(), ids=lambda rule: rule.id)
async def test_what_breaks_the_careless_model_breaks_nothing_live(rule: Rule, own: Settings) -> None:
    schedule = schedules.without(rule)
    wrongs, refused = await perform(own, schedule)
    print("\n".join(["", schedule.name, *refused]))
    assert not wrongs, f"{schedule}\nrefused: {refused}"


@pytest.mark.parametrize("rule_id", BREAKING)
async def test_it_breaks_live_as_well_where_the_rule_is_left_out(rule_id: str, own: Settings) -> None:
    """So what the schedules hold and let through is what matters."""
    rule = TIMELESS[rule_id]
    schedule = replace(schedules.without(rule), is_lawful=True)  # the rule is left out here, as in the model
    wrongs, otherwise = await perform(own, schedule, rule, BROKEN_AFTER_S)
    assert not otherwise, f"{schedule}\nrefused: {otherwise}"
    assert wrongs, str(schedule)


async def test_the_live_system_goes_any_way_the_model_goes(own: Settings, walks: int) -> None:
    for seed in range(walks):
        began = time.monotonic()
        schedule = schedules.random_way(scenarios.NO_OUTAGE, seed)
        wrongs, otherwise = await perform(own, schedule)
        print(f"\n{schedule.name}: {len(schedule.moves)} steps, {time.monotonic() - began:.1f} s")
        assert not wrongs + otherwise, f"{schedule.name}\n{schedule}"


async def test_nothing_breaks_live_on_ways_with_outages(own: Settings, walks: int) -> None:
    """Not step by step: how an urgent lane waits for MongoDB is coarser in the model."""
    for seed in range(walks // 2):
        schedule = schedules.random_way(scenarios.EVERYTHING, seed, is_lawful=False)
        wrongs, refused = await perform(own, schedule)
        print("\n".join(["", schedule.name, f"{len(schedule.moves)} steps, of them not done:", *refused]))
        assert not wrongs, f"{schedule.name}\n{schedule}\nrefused: {refused}"
