"""One system through the whole workload, once: calm, growth, three faults, and everybody's return at the end."""

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.compare import database_counters, devices, measures
from tests.compare.account import Account
from tests.compare.arms.arm import Arm, Report, Running
from tests.compare.database_counters import Client, Counted
from tests.compare.devices import Devices
from tests.compare.measures import Sample, Samples, Use
from tests.compare.publishing import publish
from tests.compare.workload import STAYING, Course, Kind, Phase, everybody, users

LOGS: Final = Path("build/compare")
TAIL_S: Final = 2.0  # after a phase that is measured: what its last notifications cost belongs to it
HANGS_S: Final = 5.0  # how long MongoDB is frozen before it is killed
_STOPS_AFTER_S: Final = 1.0
_KILLS_WITHIN: Final = 0.8  # of the phase
_SETTLES_S: Final = 15.0
_SETTLES_AT_LAST_S: Final = 45.0  # BullMQ finds after up to 30 s, twice, that a worker was killed amid a job
_SHOWN: Final = 3


@dataclass(slots=True)
class Found:
    """What one round has shown of a system."""

    account: Account
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    cpu: Use = field(default_factory=lambda: Use(0, 0))
    cpu_by_process: dict[str, float] = field(default_factory=dict[str, float])
    memory_by_process: dict[str, float] = field(default_factory=dict[str, float])
    database: Counted = field(default_factory=lambda: Counted(0, 0))
    received_bytes: int = 0
    calm_s: float = 0.0
    busy_cpu: Use = field(default_factory=lambda: Use(0, 0))  # when many came at once, and few were connected
    busy_database: Counted = field(default_factory=lambda: Counted(0, 0))
    grew: Use = field(default_factory=lambda: Use(0, 0))
    samples: Sequence[Sample] = ()
    failures: int = 0  # of connections, as devices saw them, while there was no fault
    errors: int = 0  # that the system logged meanwhile
    held: int = 0  # connections that the system believed in when growth ended, beyond those there were
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What all phases of a round work with."""

    system: Running
    devices: Devices
    account: Account
    samples: Samples
    database: Client
    found: Found
    say: Report

    async def follow(self, course: Course, *also: Awaitable[None]) -> None:
        """Publish and move as the course has it, and do something else at the same time."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publish(course, self.system.entrance, self.account))
            tasks.create_task(self.devices.follow(course.moves))
            for one in also:
                tasks.create_task(_awaited(one))

    async def settle(self, of: Iterable[str], within_s: float, *, reminders: bool = False) -> None:
        """Wait until these users have everything; what is missing after that, the account says."""
        who, until = list(of), time.monotonic() + within_s
        while self.account.missing(who, reminders=reminders) and time.monotonic() < until:
            await asyncio.sleep(0.2)


async def play(arm: Arm, planned: Sequence[Course], say: Report) -> Found:
    """Run a system through all courses. Its logs are kept in `build/compare`."""
    began = time.monotonic()
    account = Account()
    found = Found(account)
    async with arm.running(say) as system:
        found.versions = system.versions
        try:
            with database_counters.connected(system.mongodb_port) as database:
                async with (
                    devices.running(system, account) as all_devices,
                    measures.sampled(
                        system.children, system.servers, lambda: database_counters.connections(database)
                    ) as samples,
                ):
                    stage = Stage(system, all_devices, account, samples, database, found, say)
                    await all_devices.connect(_at_first())
                    for course in planned:
                        say(f"{course.phase}, {len(course.publishes)} notifications")
                        await _PHASES[course.phase](stage, course)
                    await _at_last(stage)
                    found.memory_by_process = await asyncio.to_thread(measures.memory_mib, system.children)
        finally:
            folder = LOGS / arm.name.replace(" ", "-")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(system.logs, folder)
    for phase, verdict in account.verdicts().items():
        for wrong, keys in (("lost", verdict.lost), ("doubled", verdict.doubled)):
            if keys:
                say(f"{phase}, {wrong}: {len(keys)}, such as {', '.join(map(account.told, keys[:_SHOWN]))}")
    found.samples = samples.taken
    found.seconds = time.monotonic() - began
    return found


def _at_first() -> list[str]:
    return [user for user in everybody() if user not in _AWAY]


_AWAY: Final = frozenset(users(Kind.AWAY))


async def _warm(stage: Stage, course: Course) -> None:
    await stage.follow(course)
    await stage.settle(_at_first(), _SETTLES_S)


async def _calm(stage: Stage, course: Course) -> None:
    """What is compared by processor time, network and MongoDB's time is measured here."""
    system, found, at = stage.system, stage.found, course.deaths or 0.0

    async def deaths() -> None:
        await asyncio.sleep(at)
        stage.devices.die()

    cpu, database = measures.cpu_s(system.children), database_counters.look(stage.database)
    received, began = stage.devices.received_bytes, time.monotonic()
    await stage.follow(course, deaths())
    await asyncio.sleep(TAIL_S)
    after = measures.cpu_s(system.children)
    found.cpu_by_process = {name: used - cpu[name] for name, used in after.items()}
    found.cpu = measures.split(found.cpu_by_process, system.servers)
    found.database = database_counters.look(stage.database).since(database)
    found.received_bytes = stage.devices.received_bytes - received
    found.calm_s = time.monotonic() - began
    await stage.settle(_at_first(), _SETTLES_S)


async def _growth(stage: Stage, course: Course) -> None:
    """Many notifications and visits, few connections: what is never let go of shows."""
    leaving = [user for user in _at_first() if user not in users(Kind.STEADY)[:STAYING]]
    for user in leaving:
        stage.devices.do("leave", user)
    await asyncio.sleep(TAIL_S)
    before = stage.samples.last.memory
    cpu, database = measures.cpu_s(stage.system.children), database_counters.look(stage.database)
    await stage.follow(course)
    await stage.settle(users(Kind.STEADY), _SETTLES_S)
    await asyncio.sleep(TAIL_S)
    used = {name: seconds - cpu[name] for name, seconds in measures.cpu_s(stage.system.children).items()}
    stage.found.busy_cpu = measures.split(used, stage.system.servers)
    stage.found.busy_database = database_counters.look(stage.database).since(database)
    after = stage.samples.last.memory
    stage.found.grew = Use(after.own - before.own, after.servers - before.servers)
    stage.found.held = await stage.system.sockets() - STAYING
    stage.found.failures, stage.found.errors = stage.devices.failures, stage.system.errors()
    if stage.found.failures:
        stage.say(f"connections ended: {stage.devices.said()}")
    await stage.devices.connect(leaving)


async def _killed(stage: Stage, course: Course) -> None:
    async def kills() -> None:
        victims = stage.system.victims
        for name in victims:
            await asyncio.sleep(course.seconds * _KILLS_WITHIN / len(victims))
            stage.system.children[name].signal(signal.SIGKILL)

    await stage.follow(course, kills())
    await _recovered(stage)


async def _stopped(stage: Stage, course: Course) -> None:
    async def stop() -> None:
        await asyncio.sleep(_STOPS_AFTER_S)
        mongod = stage.system.children["mongodb"]
        mongod.signal(signal.SIGSTOP)
        await asyncio.sleep(HANGS_S)
        mongod.signal(signal.SIGKILL)

    await stage.follow(course, stop())
    await _recovered(stage)


async def _asleep(stage: Stage, course: Course) -> None:
    stage.devices.sleepers.stop()
    try:
        await stage.follow(course)
    finally:
        stage.devices.sleepers.wake()
    await _recovered(stage)


async def _recovered(stage: Stage) -> None:
    with suppress(TimeoutError):  # who does not return is missing something, which the account says
        await stage.devices.connected(_at_first())
    await stage.settle(_at_first(), _SETTLES_S)


async def _at_last(stage: Stage) -> None:
    """Everybody who was away connects; then those who still miss something connect once more."""
    await stage.devices.connect(users(Kind.AWAY))
    await stage.settle(everybody(), _SETTLES_AT_LAST_S, reminders=True)
    missing = {stage.account.asked[key].user for key in stage.account.missing(everybody())}
    stage.account.returned_at = time.time()
    for user in missing:
        stage.devices.do("leave", user)
    await asyncio.sleep(TAIL_S)
    with suppress(TimeoutError):
        await stage.devices.connect(sorted(missing))
    await stage.settle(everybody(), _SETTLES_S, reminders=True)


async def _awaited(one: Awaitable[None]) -> None:
    await one


_PHASES: Final = {
    Phase.WARM: _warm,
    Phase.CALM: _calm,
    Phase.GROWTH: _growth,
    Phase.KILLED: _killed,
    Phase.STOPPED: _stopped,
    Phase.ASLEEP: _asleep,
}
