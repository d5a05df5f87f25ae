"""Health of a process: what it needs, whether it makes progress, and the answers to Kubernetes' three questions."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog

from clarion.telemetry import metrics
from clarion.telemetry.flicker import Flicker

log = structlog.get_logger()

PROBE_EVERY_S: Final = 2.0  # while it answers: two probes a second were a third of what an idle gateway did
PROBE_AGAIN_S: Final = 1.0
PROBE_TIMEOUT_S: Final = 2.0

Status = Literal["ok", "degraded", "failing"]


class Unanswered(Exception):
    """What a probe raises: in words, for whoever reads a health report."""


@dataclass(slots=True)
class Dependency:
    """A server this process needs. `up` is None until the first probe has answered or failed.

    `up` follows each probe: requests are refused as soon as the server is away, and taken as soon as it is back. What
    is told to people is steadier: a server that comes and goes is irregular until it has kept to one for a while, and
    that is said once.
    """

    name: str
    up: bool | None = None
    error: str = ""
    since: float = field(default_factory=time.time)
    _flicker: Flicker = field(default_factory=Flicker)
    _told: str = ""

    def seen(self, error: str, now: float | None = None, cause: object = None) -> None:
        """Note the outcome of a probe; `error`, in words, is empty when it answered. `now` is a monotonic clock's."""
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
            event = f"dependency {state}"
            log.info(event, dependency=self.name, error=error or None, cause=repr(cause) if cause else None)

    def state(self, now: float) -> str:
        if self._flicker.is_irregular(now):
            return "answers irregularly"
        return "is down" if self.up is False else "is up"

    def trouble(self, now: float) -> str:
        """What is wrong with it; empty when nothing is."""
        state = self.state(now)
        return "" if state == "is up" else f"{self.name} {state}: {self.error}"


@dataclass(slots=True)
class Health:
    """The state the probes read.

    A dependency that is down leaves a process ready: somebody must answer 503 with Retry-After. `blockers` are what
    keeps it from work of its own accord (a gateway without a mailbox), `failures` what only a restart mends, `troubles`
    what neither a restart nor time does, such as records that a server refuses, a transaction that somebody left open,
    or a shortage of file descriptors. `changes` end by themselves, if this process makes progress: a topic that grows.
    """

    service: str
    started: bool = False
    draining: bool = False
    dependencies: dict[str, Dependency] = field(default_factory=dict[str, Dependency])
    blockers: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    failures: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    troubles: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    changes: list[Callable[[], str]] = field(default_factory=list[Callable[[], str]])
    figures: list[Callable[[], dict[str, object]]] = field(default_factory=list[Callable[[], dict[str, object]]])

    def dependency(self, name: str) -> Dependency:
        return self.dependencies.setdefault(name, Dependency(name))

    def live(self) -> list[str]:
        """Reasons to restart this process; empty while it lives."""
        return [reason for check in self.failures if (reason := check())]

    def unready(self) -> list[str]:
        """Reasons to send it no traffic; empty when it is ready."""
        reasons = [reason for check in self.blockers if (reason := check())]
        if not self.started:
            reasons.insert(0, "starting")
        if self.draining:
            reasons.insert(0, "draining")
        return reasons

    def down(self) -> list[str]:
        """What is wrong with its servers; one that comes and goes is in it all the while."""
        now = time.monotonic()
        return [trouble for dependency in self.dependencies.values() if (trouble := dependency.trouble(now))]

    def troubled(self) -> list[str]:
        return [reason for check in self.troubles if (reason := check())]

    def status(self) -> tuple[Status, list[str]]:
        if failing := self.live():
            return "failing", [*failing, *self.troubled()]
        changing = [reason for check in self.changes if (reason := check())]
        if degraded := [*self.unready(), *self.down(), *self.troubled(), *changing]:
            return "degraded", degraded
        return "ok", []


async def watch(dependency: Dependency, probe: Callable[[], Awaitable[object]]) -> None:
    """Probe a dependency for ever. Any failure of the probe is an answer: it is down."""
    while True:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await probe()
        except TimeoutError:
            dependency.seen(f"no answer within {PROBE_TIMEOUT_S:g} s")
        except Unanswered as error:
            dependency.seen(str(error), cause=error.__cause__)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the meaning is the same
            dependency.seen("it cannot be asked", cause=error)
        else:
            dependency.seen("")
        await asyncio.sleep(PROBE_EVERY_S if dependency.up else PROBE_AGAIN_S)
