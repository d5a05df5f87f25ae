"""Run the local stack: start everything in order, wait until it is ready, end everything in order."""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from deploy.local import processes, state
from deploy.local.child import Child
from deploy.local.errors import RESET, StackError
from deploy.local.processes import Spec
from deploy.local.servers import kafka, mongodb, ports

READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05
STOP_WITHIN_S: Final = 25.0
MAKE_ROOM: Final = "Make room there, of some hundred MiB: what has ended is then started again by itself"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start.

    `servers_only` leaves Clarion's own processes out; `extra` are processes beside the services.
    """

    gateways: int = 2
    servers_only: bool = False
    any_ports: bool = False  # neither the usual ones nor servers that exist already, to run beside another stack
    full_speed: bool = False
    extra: list[Spec] = field(default_factory=list[Spec])

    def services(self) -> list[Spec]:
        """Return the processes to start beside Kafka and MongoDB."""
        return [] if self.servers_only else [*processes.services(self.gateways), *self.extra]


class Stack:
    """A running stack. `report` is called with lines for a person."""

    def __init__(self, folder: state.Folder, plan: Plan, report: Report = lambda _: None) -> None:
        self.folder = folder
        self.plan = plan
        self.report = report
        self.specs = plan.services()
        self.children: dict[str, Child] = {}
        self.env: dict[str, str] = {}
        self.ports: dict[str, int] = {}
        self.notes: deque[str] = deque(maxlen=200)  # what happened to its processes
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._kept = ExitStack()  # the ports, as long as it runs
        self._state = state.StackState()

    # ---- start

    async def start(self) -> None:
        """Start everything and wait until it is ready. Raise `StackError` when something does not start."""
        self.folder.make()
        wanted = processes.wanted_ports(self.specs)
        if self.plan.any_ports:
            wanted = dict.fromkeys(wanted, 0)
        self.ports = ports.choose(wanted, self.folder.load().ports)
        own = {
            "CLARION_KAFKA": f"{ports.HOST}:{self.ports['kafka']}",
            "CLARION_MONGODB": mongodb.uri(self.ports["mongodb"]),
        }
        outside = {} if self.plan.any_ports else processes.outside(own, os.environ)
        self.env = processes.client_env(self.ports, self.specs, own | outside, str(self.folder.secret()))
        self._state = state.StackState(supervisor=state.of(os.getpid()), ports=self.ports, env=self.env)
        self._save()
        self._kept.enter_context(ports.kept(self.ports.values()))
        self.folder.save_targets(processes.targets(self.specs, self.ports))
        servers = {"CLARION_KAFKA": self._kafka, "CLARION_MONGODB": self._mongodb}
        await _all([start() for name, start in servers.items() if name not in outside])
        if self.specs:
            is_outside = "CLARION_KAFKA" in outside
            await self._topics("start that Kafka, or unset CLARION_KAFKA" if is_outside else RESET)
            await _all([self.start_service(spec) for spec in self.specs])
        self._state.ready = True
        self._save()

    async def _kafka(self) -> None:
        home, full = self.folder.path / "kafka", self.plan.full_speed
        self.report("kafka is prepared; the first time, its jars are fetched")
        command = await asyncio.to_thread(
            kafka.command,
            home,
            port=self.ports["kafka"],
            controller_port=self.ports["kafka-controller"],
            full_speed=full,
        )
        await self._launch("kafka", command, kafka.ENV, lambda: kafka.is_ready(self.ports["kafka"]), home)

    async def _mongodb(self) -> None:
        port = self.ports["mongodb"]
        command = mongodb.command(self.folder.path / "mongodb", port, full_speed=self.plan.full_speed)
        await self._launch("mongodb", command, {}, lambda: asyncio.to_thread(mongodb.is_ready, port))

    async def _topics(self, cure: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clarion.cli", "topics", "apply"),
            env={**os.environ, **self.env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise StackError(f"the topics cannot be created:\n{output.decode()[-2000:]}", cure)
        self.report("all topics are as declared")

    async def start_service(self, spec: Spec) -> None:
        """Start a service and wait until it is ready. Raise `StackError` when it does not start in time."""
        env = {**self.env, **dict(processes.own_env(spec, self.ports)), **spec.env}
        await self._launch(spec.name, spec.command(), env, lambda: self._answers_ready(spec))

    async def _answers_ready(self, spec: Spec) -> bool:
        if not spec.has_admin:
            return self.children[spec.name].pid is not None
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=2) as http:
                return (await http.get(f"http://{ports.HOST}:{self.ports[spec.admin]}/healthz/ready")).is_success
        except httpx2.TransportError:
            return False

    async def _launch(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        ready: Callable[[], Awaitable[bool]],
        within: Path | None = None,
    ) -> None:
        log = self.folder.log(name)
        child = self.children[name] = Child(name, command, env, log, self._changed, within, self._has_room)
        self._runs[name] = asyncio.create_task(child.run(), name=name)
        started = time.monotonic()
        while not await ready():
            if child.failures or self._runs[name].done():  # it may die at once, so the process is watched as well
                why = self.folder.full() or f"the end of its log:\n{child.tail()}"
                raise StackError(f"{name} does not start; {why}", "mend that, and try again")
            if time.monotonic() - started > READY_WITHIN_S:
                raise StackError(
                    f"{name} is not ready after {READY_WITHIN_S:g} s; the end of its log:\n{child.tail()}",
                    f"read {log}",
                )
            await asyncio.sleep(POLL_S)
        self.report(f"{name} is ready ({time.monotonic() - started:.1f} s)")

    # ---- run

    async def watch(self) -> None:
        """Supervise the processes until cancelled. Raise a failure of the supervision itself."""
        await asyncio.gather(*self._runs.values())

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process. Raise `StackError` when there is none of that name."""
        if name not in self.children:
            raise StackError(f"there is no process {name}", f"name one of {', '.join(sorted(self.children))}")
        self.children[name].signal(number)

    async def wait_ready(self, name: str) -> None:
        """Wait until a service is ready (again). Raise `TimeoutError` after READY_WITHIN_S."""
        spec = next(spec for spec in self.specs if spec.name == name)
        async with asyncio.timeout(READY_WITHIN_S):
            while not await self._answers_ready(spec):
                await asyncio.sleep(POLL_S)

    async def stop_child(self, name: str) -> None:
        """End a process, and start it no more."""
        await self.children[name].stop(STOP_WITHIN_S)
        await self._runs.pop(name)

    async def start_kafka(self) -> None:
        """Start Kafka again after `stop_child("kafka")`, on its port and data."""
        await self._kafka()

    async def start_mongodb(self) -> None:
        """Start MongoDB again after `stop_child("mongodb")`, on its port and data."""
        await self._mongodb()

    def _changed(self, child: Child, what: str) -> None:
        if what:
            self._note(what)
            self._note_full()
        if child.pid is not None:
            self._state.processes[child.name] = state.of(child.pid, child.restarts)
            self._save()

    def _has_room(self) -> bool:
        return not self.folder.full()

    def _note_full(self) -> None:
        if full := self.folder.full():
            self._note(f"{full}. {MAKE_ROOM}")

    def _note(self, what: str) -> None:
        self.notes.append(what)
        self.report(what)

    def _save(self) -> None:
        """Write down what runs.

        On a full disk this is only reported: what runs goes on, and the next change is saved with all before it.
        """
        try:
            self.folder.save(self._state)
        except OSError as error:
            if not state.is_full(error):
                raise
            self._note(f"the list of what runs cannot be saved: {error}")
            self._note_full()

    # ---- stop

    async def stop(self) -> None:
        """End every tier after those that need it.

        So gateways and ingest end first, then the stream, and MongoDB and Kafka last.
        """
        tiers: dict[int, list[str]] = {}
        for name in self.children:
            tier = next((spec.tier for spec in self.specs if spec.name == name), 0)
            tiers.setdefault(tier, []).append(name)
        for tier in sorted(tiers, reverse=True):
            await asyncio.gather(*(self.children[name].stop(STOP_WITHIN_S) for name in tiers[tier]))
        for run in self._runs.values():
            run.cancel()
        await asyncio.gather(*self._runs.values(), return_exceptions=True)
        self._kept.close()
        self._state.ready, self._state.supervisor, self._state.processes = False, None, {}
        self._save()

    def kill_all(self) -> None:
        """Send SIGKILL to every process."""
        for child in self.children.values():
            child.signal(signal.SIGKILL)


async def _all(starts: Sequence[Awaitable[None]]) -> None:
    """Start things at once. The first failure cancels the others, and is raised by itself, not in a group."""
    tasks = [asyncio.ensure_future(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def running(folder: state.Folder, plan: Plan, report: Report = lambda _: None) -> AsyncGenerator[Stack]:
    """Yield a stack that runs as long as the block does, whatever ends the block."""
    folder.make()
    with folder.lock():
        stack = Stack(folder, plan, report)
        try:
            with folder.taking_room():
                await stack.start()
            yield stack
        finally:
            await stack.stop()
