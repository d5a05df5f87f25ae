"""The whole system under a steady load, with Prometheus and Alertmanager beside it, all on a quicker clock."""

import shutil
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx2

from clarion.settings import Settings
from deploy.local import processes
from deploy.local.processes import Spec
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests.observe.asking import Asking
from tests.observe.load import Load
from tests.observe.servers import monitoring
from tests.tmpfs import tmpfs

DISK_MIB: Final = 1536  # of MongoDB: when it is nearly full, another file of 100 MiB of the journal still fits
LOGS: Final = Path("build/observe")  # of all processes, kept for whoever reads why something failed
# What goes beyond a limit is seen at a rate that this machine takes easily.
LIMITS: Final = {
    "CLARION_SENDER_RATE": "60",
    "CLARION_SENDER_BURST": "120",
    "CLARION_RECIPIENT_RATE": "10",
    "CLARION_RECIPIENT_BURST": "50",
    "CLARION_SAFETY_NET_S": "60",  # as in production: other tests let it look sooner than a broken system delivers
}
_GATEWAYS: Final = 2


@dataclass(frozen=True, slots=True)
class QuickSpec(Spec):
    """A process whose monitor is on a quicker clock."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.observe.process", *self.arguments]


@dataclass(frozen=True, slots=True)
class QuickPlan(Plan):
    """The whole stack of such processes."""

    def services(self) -> list[Spec]:
        return [
            QuickSpec(spec.name, spec.arguments, spec.serves, spec.tier, spec.has_admin, LIMITS)
            for spec in processes.services(_GATEWAYS)
        ]


@dataclass(slots=True)
class World:
    """`disk` is MongoDB's, if it has one of its own."""

    stack: Stack
    settings: Settings
    load: Load
    asking: Asking
    disk: Path | None
    say: Callable[[str], None]

    def spec(self, name: str) -> Spec:
        return next(spec for spec in self.stack.specs if spec.name == name)

    async def lose(self, name: str) -> None:
        """End a process at once, and do not start it again."""
        await self.stack.children[name].stop(0)

    async def start(self, name: str, **env: str) -> None:
        """Start a process that was lost."""
        spec = self.spec(name)
        await self.stack.start_service(replace(spec, env={**spec.env, **env}))


@asynccontextmanager
async def world(folder: Path, say: Callable[[str], None]) -> AsyncGenerator[World]:
    """The world, which ends with the block. Raises `Missing` where there is no Prometheus."""
    state = Folder(folder / "stack")
    async with AsyncExitStack() as ends:
        disk: Path | None = None
        try:
            disk = ends.enter_context(tmpfs(state.path / "mongodb", DISK_MIB))
        except OSError as error:
            say(str(error.strerror))
        ends.callback(_keep_logs, state.logs, folder / "monitoring")
        stack = await ends.enter_async_context(running(state, QuickPlan(any_ports=True), say))
        at = await ends.enter_async_context(monitoring(folder / "monitoring", state.path / "prometheus.json", say))
        http = await ends.enter_async_context(httpx2.AsyncClient(trust_env=False))
        admins = {spec.name: stack.ports[spec.admin] for spec in stack.specs}
        console = f"http://127.0.0.1:{stack.ports['console']}"
        asking = Asking(at, console, admins, {**stack.env, "CLARION_PROMETHEUS": at.prometheus}, http)
        settings = Settings.from_env(stack.env)
        load = Load(settings)
        await ends.enter_async_context(load.running())
        yield World(stack, settings, load, asking, disk, say)


def _keep_logs(*folders: Path) -> None:
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    for log in (log for folder in folders for log in folder.glob("*.log*")):
        shutil.copy(log, LOGS)
