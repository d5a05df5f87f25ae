"""The course of faults, one or several at once: how soon who tells each, whom they call, and how soon all is quiet."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import httpx2

from tests.observe.asking import Alert, Check
from tests.observe.faults import LATE, Fault
from tests.observe.world import World
from tests.report import Row, at_most, none

CALM_S: Final = 150.0  # within which all has to be quiet again: the longest window is a minute, but for tickets
NEVER: Final = 999.0
TOLD_S: Final = 60.0  # by the doctor, whose examination takes some seconds, and by the console
_PATIENCE_S: Final = 90.0  # for what comes later than it should, as on a busy machine
_POLL_S: Final = 0.5

BURNS: Final = frozenset({"delivery-budget-burns", "accepting-budget-burns"})
# These tell of a machine that is busy with other things as well, as that of CI may be.
BUSY: Final = frozenset({"cpu-saturated", "event-loop-slow", "late-deliveries"})

Faults = Mapping[str, Fault]


@dataclass(slots=True)
class Watching:
    """The alerts that were seen while it runs."""

    at: World
    seen: set[str] = field(default_factory=set[str])
    rules: set[str] = field(default_factory=set[str])
    pages: set[str] = field(default_factory=set[str])  # the rules of those that call somebody
    now: list[Alert] = field(default_factory=list[Alert])

    async def run(self) -> None:
        while True:
            with contextlib.suppress(httpx2.TransportError):  # on a busy machine it does not always answer in time
                self.now = await self.at.asking.alerts()
            self.seen.update(f"{one}{' (calls nobody)' if one.is_quiet else ''}" for one in self.now)
            self.rules.update(one.rule for one in self.now)
            self.pages.update(one.rule for one in self.now if one.is_page)
            await asyncio.sleep(_POLL_S)


async def course(at: World, faults: Faults) -> list[Row]:
    """Make the faults, wait until each is told, mend them, and wait until all is quiet. The rows say what is wrong."""
    together, watching, began = " + ".join(faults), Watching(at), time.monotonic()
    at.say(f"{together} …")
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watching.run(), name="watching")
        async with AsyncExitStack() as mending:
            broke = dict[str, float]()
            for name, fault in faults.items():
                broke[name] = time.monotonic()
                await mending.enter_async_context(fault.broken(at))
            fired, found, shown, told = await asyncio.gather(
                _each(broke, lambda: _firing(watching, faults), _latest(faults)),
                _each(broke, lambda: _finding(at, faults), _latest(faults)),
                _each(broke, lambda: _showing(at, faults), _latest(faults)),
                _each(broke, lambda: _telling(at, faults), _latest(faults)),
            )
        mended = time.monotonic()
        quiet_s = (await _each({"": mended}, lambda: _quiet(watching, at, faults), CALM_S + _PATIENCE_S))[""]
        looking.cancel()
    at.say(f"  fires after {', '.join(f'{s:.0f} s' for s in fired.values())}, quiet after {quiet_s:.0f} s; it told")
    for line in sorted(watching.seen):
        at.say(f"    {line}")
    if quiet_s == NEVER:
        at.say(f"  not quiet: {', '.join(map(str, loud(watching.now))) or 'a monitor, the console or the doctor'}")
    return [
        *(
            row
            for name, fault in faults.items()
            for row in _rows(name, fault, fired[name], found[name], shown[name], told[name])
        ),
        none(f"{together}: calls that nothing explains", len(unexplained(watching.pages, watching.rules, faults))),
        *_within(f"{together}: all is quiet", quiet_s, CALM_S),
        Row(f"{together}: took", time.monotonic() - began, "s"),
    ]


def _rows(name: str, fault: Fault, fired_s: float, found_s: float, shown_s: float, told_s: float) -> list[Row]:
    return [
        *_within(f"{name}: the alert {fault.rule} fires", fired_s, fault.within_s),
        *(
            _within(f"{name}: the monitor of {fault.seen_by} finds it", found_s, fault.within_s)
            if fault.seen_by
            else ()
        ),
        *_within(f"{name}: the console shows it", shown_s, TOLD_S),
        *_within(f"{name}: the doctor's {fault.doctor[0]} names it", told_s, TOLD_S),
    ]


def _within(what: str, took_s: float, bar_s: float) -> list[Row]:
    """How long it took; on a busy machine that may be longer than the bar. That it never came fails the run."""
    return [none(f"{what}: not", 1)] if took_s == NEVER else [at_most(f"{what} after", took_s, bar_s, "s")]


async def calm(at: World) -> bool:
    """Wait until no alert fires but tickets of the objectives, which look hours back. False if that does not come."""

    async def is_calm() -> Collection[str]:
        return () if loud(await at.asking.alerts()) else ("",)

    return (await _each({"": time.monotonic()}, is_calm, CALM_S + _PATIENCE_S))[""] != NEVER


def loud(alerts: Iterable[Alert]) -> list[Alert]:
    """Those that have to end after a fault.

    Tickets of the objectives look hours back, what is only shown may end later, and a busy machine is no fault.
    """
    tickets = {(rule, "warning") for rule in BURNS}
    return [
        one
        for one in alerts
        if one.severity != "info" and one.rule not in BUSY and (one.rule, one.severity) not in tickets
    ]


def unexplained(pages: Collection[str], seen: Collection[str], faults: Faults) -> set[str]:
    """Return the troubles that call somebody although no fault explains them.

    On a machine that is busy with other things deliveries are late. Then alerts tell that it is busy, too.
    """
    explained = {rule for fault in faults.values() for rule in (fault.rule, *fault.explains)}
    if any(rule in BUSY for rule in seen):
        explained |= LATE
    return set(pages) - explained


async def _firing(watching: Watching, faults: Faults) -> Collection[str]:
    return [
        name
        for name, fault in faults.items()
        if any(one.rule == fault.rule and fault.labels.items() <= one.labels.items() for one in watching.now)
    ]


async def _finding(at: World, faults: Faults) -> Collection[str]:
    return [name for name, fault in faults.items() if not fault.seen_by or await _finds(at, fault)]


async def _finds(at: World, fault: Fault) -> bool:
    return fault.rule in await at.asking.findings(fault.seen_by)


async def _showing(at: World, faults: Faults) -> Collection[str]:
    troubles = await at.asking.shown()
    return [
        name
        for name, fault in faults.items()
        if any(one.rule == fault.rule and all(label in one.what for label in fault.labels.values()) for one in troubles)
    ]


async def _telling(at: World, faults: Faults) -> Collection[str]:
    checks = await at.asking.doctor()
    return [name for name, fault in faults.items() if _names(checks[fault.doctor[0]], fault.doctor[1])]


def _names(check: Check, what: str) -> bool:
    return check.result in ("warning", "failed") and what in check.evidence


async def _quiet(watching: Watching, at: World, faults: Faults) -> Collection[str]:
    """No alert fires, no monitor finds anything, and the console shows nothing; nor does a doctor without a memory."""
    if loud(watching.now) or any([await _finds(at, fault) for fault in faults.values() if fault.seen_by]):
        return ()
    if await _showing(at, faults):
        return ()
    checks = await at.asking.doctor()
    told = any(_names(checks[fault.doctor[0]], fault.doctor[1]) for fault in faults.values() if not fault.remembered)
    return () if told else ("",)


def _latest(faults: Faults) -> float:
    return _PATIENCE_S + max(fault.within_s for fault in faults.values())


async def _each(
    began: Mapping[str, float], check: Callable[[], Awaitable[Collection[str]]], within_s: float
) -> dict[str, float]:
    """How many seconds after it `began` each was first among those that `check` returns, or `NEVER`."""
    found, ends = dict[str, float](), time.monotonic() + within_s
    while len(found) < len(began) and time.monotonic() < ends:
        for name in await check():
            found.setdefault(name, time.monotonic() - began[name])
        await asyncio.sleep(_POLL_S)
    return {name: found.get(name, NEVER) for name in began}
