"""Random ways through worlds that are too large to explore: each to its end, a step at a time, by its seed."""

import random
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from tests.model.beginning import beginning
from tests.model.explorer import Found, after, steps_from, unhurried
from tests.model.properties import check, check_end
from tests.model.steps.step import Step
from tests.model.world.scenario import Scenario, Violation
from tests.model.world.world import World

FAULTS: Final = 0.15  # of the steps, while there is a choice
TOO_LONG: Final = 5_000


def wander(scenario: Scenario, within_s: float, first_seed: int = 0) -> Found:
    """One way after another, until something breaks; the last line of a trace tells the seed."""
    started, steps = time.monotonic(), 0
    with unhurried(scenario):
        for seed in count(first_seed):
            trace = list[str]()
            broken = walk(scenario, random.Random(seed), lambda _, step, trace=trace: trace.append(str(step)))
            steps += len(trace)
            seconds = time.monotonic() - started
            if broken or seconds > within_s:
                return Found(seed - first_seed + 1, steps, False, seconds, broken and f"{broken} (seed {seed})", trace)
    raise AssertionError("there is always another seed")


def walk(scenario: Scenario, chance: random.Random, note: Callable[[World, Step], None]) -> str:
    """One way to its end; what it broke. `note` is told of each step, and of the world that it is to change."""
    w, length = beginning(scenario), 0
    try:
        while steps := list(steps_from(w)):
            faults = [step for step in steps if step.fault is not None]
            others = [step for step in steps if step.fault is None]
            if not others:
                check_end(w)
            step = chance.choice(faults if faults and (not others or chance.random() < FAULTS) else others)
            note(w, step)
            w, length = after(w, step), length + 1
            check(w)
            if length > TOO_LONG:
                return "it never comes to rest"
        check_end(w)
    except Violation as violation:
        return str(violation)
    return ""
