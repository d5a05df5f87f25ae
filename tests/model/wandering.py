"""Random ways through worlds that are too large to explore: each to its end, a step at a time, by its seed."""

import random
import time
from itertools import count
from typing import Final

from tests.model.beginning import beginning
from tests.model.explorer import Found, after, steps_from, unhurried
from tests.model.properties import check, check_end
from tests.model.scenario import Scenario, Violation

FAULTS: Final = 0.15  # of the steps, while there is a choice
TOO_LONG: Final = 5_000


def wander(scenario: Scenario, within_s: float, first_seed: int = 0) -> Found:
    """One way after another, until something breaks; the last line of a trace tells the seed."""
    started, steps = time.monotonic(), 0
    with unhurried(scenario):
        for seed in count(first_seed):
            trace, broken = _walk(scenario, random.Random(seed))
            steps += len(trace)
            seconds = time.monotonic() - started
            if broken or seconds > within_s:
                return Found(seed - first_seed + 1, steps, False, seconds, broken and f"{broken} (seed {seed})", trace)
    raise AssertionError("there is always another seed")


def _walk(scenario: Scenario, chance: random.Random) -> tuple[list[str], str]:
    w, trace = beginning(scenario), list[str]()
    try:
        while steps := list(steps_from(w)):
            faults = [step for step in steps if step.fault is not None]
            others = [step for step in steps if step.fault is None]
            if not others:
                check_end(w)
            step = chance.choice(faults if faults and (not others or chance.random() < FAULTS) else others)
            trace.append(str(step))
            w = after(w, step)
            check(w)
            if len(trace) > TOO_LONG:
                return trace, "it never comes to rest"
        check_end(w)
    except Violation as violation:
        return trace, str(violation)
    return trace, ""
