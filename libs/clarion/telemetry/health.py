"""Health of a process: the servers it needs, whether it makes progress, and the answers to Kubernetes' three probes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog

from clarion.telemetry import metrics
from clarion.telemetry.flicker import Flicker

log = structlog.get_logger()

PROBE_EVERY_S: Final = 2.0  # while the server answers: two probes a second were a third of what an idle gateway did
PROBE_AGAIN_S: Final = 1.0  # while it does not
PROBE_TIMEOUT_S: Final = 2.0

Status = Literal["ok", "degraded", "failing"]


class Unanswered(Exception):
    """Raised by a probe that gets no answer. The message says why, in words for the health report."""


@dataclass(slots=True)
class Dependency:
    """A server that this process needs. `up` is None until the first probe has ended.

    `up` follows each probe, so that requests are refused as soon as the server is away, and taken as soon as it is
    back. What people read is steadier: a server that comes and goes is called irregular until it has stayed up or down
    for a while, and that is logged once.
    """

    name: str
    up: bool | None = None
    error: str = ""
    since: float = field(default_factory=time.time)
    _flicker: Flicker = field(default_factory=Flicker)
    _told: str = ""

    def seen(self, error: str, now: float | None = None, cause: object = None) -> None:
        """Note the outcome of a probe: `error` in words, empty if the server answered. `now` is a monotonic clock's."""
        now = time.monotonic() if now is None else now
        up = not error
        self.error = error or self.error
        metrics.dependency_up.labels(self.name).set(up)
        if up != self.up:
            if self.up is not None:
                self._flicker.changed(now)
            self.up, self.since = up, time.time()
        state = self.state(now)
        if state != self._told:
            self._told = state
            event = f"a dependency {state}"
            log.info(event, dependency=self.name, error=error or None, cause=repr(cause) if cause else None)

    def state(self, now: float) -> str:
        """Return, in words, whether the server is up."""
        if self._flicker.is_irregular(now):
            return "answers irregularly"
        return "is down" if self.up is False else "is up"

    def trouble(self, now: float) -> str:
        """Return what is wrong with the server; empty when nothing is."""
        state = self.state(now)
        return "" if state == "is up" else f"{self.name} {state}: {self.error}"


@dataclass(slots=True)
class Health:
    """What the health endpoints of a process read.

    Each check returns a reason, which is empty while there is none. `blockers` say what keeps the process from work
    although its servers are up, such as a gateway without a mailbox; `failures`, what only a restart mends; `troubles`,
    what no restart mends, such as records that a server refuses, an open transaction, or a shortage of file
    descriptors; `changes`, what ends by itself while this process makes progress, such as a topic that grows;
    `findings`, what the performance monitor has found. `figures` are for `/health/metrics`. A dependency that is down
    leaves a process ready, since somebody must answer 503 with Retry-After.
    """

    service: str
    started: bool = False
    draining: bool = False
    dependencies: dict[str, Dependency] = field(default_factory=dict[str, Dependency])
    blockers: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    failures: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    troubles: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    changes: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    findings: list[Callable[[], list[str]]] = field(default_factory=list[Callable[[], list[str]]])
    figures: list[Callable[[], dict[str, object]]] = field(default_factory=list[Callable[[], dict[str, object]]])

    def dependency(self, name: str) -> Dependency:
        """Return the dependency called `name`, which is added if it is new."""
        return self.dependencies.setdefault(name, Dependency(name))

    def told_dependencies(self) -> dict[str, dict[str, object]]:
        """Return, for people and programs, the state of each server that this process needs."""
        now = time.monotonic()
        return {
            one.name: {
                "up": one.up,
                "state": "is not known yet" if one.up is None else one.state(now),
                "since": one.since,
                "error": "" if one.up else one.error,
            }
            for one in self.dependencies.values()
        }

    def live(self) -> list[str]:
        """Return reasons to restart this process; none while it lives."""
        return [reason for check in self.failures if (reason := check())]

    def unready(self) -> list[str]:
        """Return reasons to send this process no traffic; none when it is ready."""
        reasons = [reason for check in self.blockers if (reason := check())]
        if not self.started:
            reasons.insert(0, "starting")
        if self.draining:
            reasons.insert(0, "draining")
        return reasons

    def down(self) -> list[str]:
        """Return what is wrong with the servers. One that comes and goes is in the list all the while."""
        now = time.monotonic()
        return [trouble for dependency in self.dependencies.values() if (trouble := dependency.trouble(now))]

    def troubled(self) -> list[str]:
        """Return what no restart of this process mends."""
        return [reason for check in self.troubles if (reason := check())]

    def status(self) -> tuple[Status, list[str]]:
        """Return the overall status, with the reasons for it."""
        if failing := self.live():
            return "failing", [*failing, *self.troubled()]
        changing = [reason for check in self.changes if (reason := check())]
        found = [reason for findings in self.findings for reason in findings()]
        if degraded := [*self.unready(), *self.down(), *self.troubled(), *changing, *found]:
            return "degraded", degraded
        return "ok", []


async def watch(dependency: Dependency, probe: Callable[[], Awaitable[object]]) -> None:
    """Probe a dependency until cancelled. Any failure of the probe means that it is down."""
    while True:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await probe()
        except TimeoutError:
            dependency.seen(f"the server did not answer within {PROBE_TIMEOUT_S:g} s")
        except Unanswered as error:
            dependency.seen(str(error), cause=error.__cause__)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the server is down
            dependency.seen("the server could not be asked; the log has the cause", cause=error)
        else:
            dependency.seen("")
        await asyncio.sleep(PROBE_EVERY_S if dependency.up else PROBE_AGAIN_S)
