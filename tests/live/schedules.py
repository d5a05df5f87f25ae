"""Schedules from the model: what breaks it when a rule is left out, and random ways through it."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest

from tests.model.beginning import beginning
from tests.model.explorer import after, steps_from, unhurried
from tests.model.random_walk import walk
from tests.model.rules import Rule
from tests.model.steps import device_steps, window_steps
from tests.model.steps.step import Step
from tests.model.world.device import Device
from tests.model.world.gateway import Connection
from tests.model.world.kafka import Receipts
from tests.model.world.scenario import Scenario, Violation
from tests.model.world.world import World


class Move(NamedTuple):
    """A step of the model. `brings` are the ids of the frame that is handled, or of the receipt that is folded."""

    do: Callable[..., None]
    args: tuple[Any, ...]
    text: str
    is_fault: bool
    brings: tuple[str, ...]


@dataclass(frozen=True)
class Schedule:
    """`is_lawful`: the live system holds the rules that the schedule was made by, so it must follow each step."""

    name: str
    scenario: Scenario
    moves: Sequence[Move]
    is_lawful: bool

    def __str__(self) -> str:
        return "\n".join(f"{number:4}. {move.text}" for number, move in enumerate(self.moves, 1))


def without(rule: Rule) -> Schedule:
    """The shortest way to something broken where `rule` does not hold."""
    found = rule.broken(100.0)
    assert found.broken, f"{rule.id} is not needed in its scenario"
    scenario = replace(rule.scenario, without=frozenset({rule.id}))
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(unhurried(scenario))
        if rule.without is not None:
            rule.without(patch)
        moves = list(_moves(scenario, iter(found.trace)))
    return Schedule(f"without {rule}", rule.scenario, moves, is_lawful=False)


def _moves(scenario: Scenario, labels: Iterator[str]) -> Iterator[Move]:
    w = beginning(scenario)
    for label in labels:
        step = next(step for step in steps_from(w) if str(step) == label)
        yield _move(w, step)
        try:
            w = after(w, step)
        except Violation:
            return  # the last one


def random_way(scenario: Scenario, seed: int, *, is_lawful: bool = True) -> Schedule:
    """By all the rules, to where nothing is left to do. `is_lawful`: the live system is to follow each step."""
    moves: list[Move] = []
    with unhurried(scenario):
        broken = walk(scenario, random.Random(seed), lambda w, step: moves.append(_move(w, step)))
    assert not broken, broken
    return Schedule(f"{scenario.name}, seed {seed}", scenario, moves, is_lawful)


def _move(w: World, step: Step) -> Move:
    brings: tuple[str, ...] = ()
    if step.do is device_steps.handle:
        device = w.get(Device, *step.args)
        brings = tuple(item.id for item in w.get(Connection, device.gateway, *step.args).down[0].items)
    elif step.do is window_steps.fold_receipt:
        brings = tuple(w.get(Receipts, 0).waiting[0].ids)
    return Move(step.do, step.args, str(step), step.fault is not None, brings)
