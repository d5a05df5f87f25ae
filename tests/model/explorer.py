"""Breadth first through every state of a scenario, so that the first violation found has the shortest trace."""

import gc
import time
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from services.gateway.client import credit, feed
from tests.model.beginning import beginning
from tests.model.properties import check, check_end
from tests.model.steps import connection_steps, device_steps, faults, lease_steps, mailbox_steps, stream_steps
from tests.model.steps.step import Step, Steps
from tests.model.world.scenario import Scenario, Violation
from tests.model.world.world import World


@dataclass(slots=True)
class Found:
    """What an exploration saw: `broken` says what was violated, `trace` the steps to it."""

    states: int
    steps: int
    is_complete: bool
    seconds: float
    broken: str = ""
    trace: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        lines = [f"{number:4}. {step}" for number, step in enumerate(self.trace, 1)]
        how_far = "all" if self.is_complete else "the first"
        lines.append(f"   => {self.broken or 'nothing is broken'}")
        lines.append(f"   ({how_far} {self.states:,} states, {self.steps:,} steps, {self.seconds:.1f} s)")
        return "\n".join(lines)


def explore(scenario: Scenario, within_s: float) -> Found:
    with unhurried(scenario):
        return Exploration(scenario).run(within_s)


@contextmanager
def unhurried(scenario: Scenario) -> Generator[None]:
    """With the scenario's credit, and no garbage collection: states have no cycles, looking for some takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        if scenario.credit is not None:
            for module in (credit, feed):
                patch.setattr(module, "CREDIT_ITEMS", scenario.credit)
                patch.setattr(module, "CREDIT_URGENT_ITEMS", 1)
        gc.disable()
        try:
            yield
        finally:
            gc.enable()


def steps_from(w: World) -> Steps:
    for source in (stream_steps, lease_steps, mailbox_steps, connection_steps, device_steps, faults):
        yield from source.steps(w)


def after(w: World, step: Step) -> World:
    """Raises `Violation` when the step itself breaks a promise."""
    following = w.copy()
    if step.fault is not None:
        faults.strike(following, step.fault)
    step.do(following, *step.args)
    return following


@dataclass(slots=True)
class Exploration:
    """States are numbered as they are found."""

    scenario: Scenario
    numbers: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    reached_by: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    before: list[list[int]] = field(default_factory=list[list[int]])  # from where a step that is no fault leads here
    ends: list[int] = field(default_factory=list[int])
    steps: int = 0

    def run(self, within_s: float) -> Found:
        started = time.monotonic()
        frontier = [beginning(self.scenario)]
        self._number(frontier[0], -1, "")
        complete, broken, trace = True, "", list[str]()
        try:
            while frontier and complete:
                following: list[World] = []
                for w in frontier:
                    following += self._expand(w)
                    if time.monotonic() - started > within_s:
                        complete = False
                        break
                frontier = following
            if complete:
                self._all_can_end()
        except _Broken as found:
            broken, trace = str(found), self._trace(found.state, found.step)
        seconds = time.monotonic() - started
        return Found(len(self.numbers), self.steps, complete and not broken, seconds, broken, trace)

    def _expand(self, w: World) -> list[World]:
        number, found = self.numbers[w.key()], list[World]()
        goes_on = False
        for step in steps_from(w):
            self.steps += 1
            goes_on = goes_on or step.fault is None
            try:
                following = after(w, step)
                key = following.key()
                known = self.numbers.get(key)
                if known is None:
                    known = self._number(following, number, str(step))
                    check(following)
                    found.append(following)
            except Violation as violation:
                raise _Broken(str(violation), number, str(step)) from violation
            if step.fault is None:
                self.before[known].append(number)
        if not goes_on:
            self.ends.append(number)
            try:
                check_end(w)
            except Violation as violation:
                raise _Broken(str(violation), number) from violation
        return found

    def _number(self, w: World, before: int, label: str) -> int:
        number = self.numbers[w.key()] = len(self.reached_by)
        self.reached_by.append((before, label))
        self.before.append([])
        return number

    def _all_can_end(self) -> None:
        """From every state, steps that are no faults lead to an end: nothing goes round for ever."""
        can = set(self.ends)
        waiting = list(self.ends)
        while waiting:
            for number in self.before[waiting.pop()]:
                if number not in can:
                    can.add(number)
                    waiting.append(number)
        if len(can) < len(self.reached_by):
            stuck = next(number for number in range(len(self.reached_by)) if number not in can)
            raise _Broken("from here on it never comes to rest", stuck)

    def _trace(self, number: int, last: str) -> list[str]:
        labels = [last] if last else []
        while number > 0:
            number, label = self.reached_by[number]
            labels.append(label)
        return labels[::-1]


class _Broken(Exception):
    def __init__(self, what: str, state: int, step: str = "") -> None:
        super().__init__(what)
        self.state = state
        self.step = step
