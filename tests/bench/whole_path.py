"""CPU of all processes that a notification passes, from its request to its receipt."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final

import psutil

from clarion.client import Subscriber
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.servers import ports
from tests.bench.costs.arms import NO_LIMITS, Arm, Receivers, publish
from tests.conftest import until
from tests.own_settings import own_environment
from tests.subprocesses import child, figures_of, is_ready

USERS: Final = 200
RATE: Final = 1_500  # notifications a second, so that windows are as large as on a busy system
_WARM_S: Final = 2.0
_SETTLE_S: Final = 2.0  # for receipts that are folded after the last acknowledgement
_READY_S: Final = 60.0
_TICK_S: Final = 0.05
_ROLES: Final = {
    "ingest": ("ingest",),
    "lane": ("stream", "--role", "lane", "--lane"),
    "receipts": ("stream", "--role", "receipts"),
    "gateway": ("gateway",),
}


@dataclass(frozen=True, slots=True)
class Used:
    """What so many notifications took, and in how many seconds, until the last receipt was folded.

    `cpu_s` and `wakeups` are by role. A wake-up is a voluntary context switch of a process's main thread, which runs
    its event loop: it had nothing to do, and then something came. `windows` are those of the lane.
    """

    count: int
    seconds: float
    cpu_s: Mapping[str, float]
    wakeups: Mapping[str, int]
    windows: float
    late_s: Sequence[float]

    def cpu_us(self, role: str) -> float:
        """Return the processor time of all processes of a role for each notification, in µs."""
        return self.cpu_s[role] / self.count * 1e6


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    cpu_s: Mapping[str, float]
    wakeups: Mapping[str, int]
    windows: float


@dataclass(slots=True)
class Path:
    """Running processes that a notification passes, by role, under topics and a database of their own."""

    settings: Settings
    processes: Sequence[tuple[str, psutil.Process]]
    admins: Sequence[tuple[str, int]]
    lane: Lane
    users: Sequence[str] = field(default_factory=lambda: [new_id() for _ in range(USERS)])

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Receivers]:
        """All users, spread over the gateways evenly; each acknowledges what comes."""
        urls = cycle(self.settings.gateway_urls)
        subscribers = [self.subscriber(user, next(urls)) for user in self.users]
        async with Receivers(subscribers) as receivers:
            yield receivers

    def subscriber(self, user: str, url: str) -> Subscriber:
        """Return a client of one user at one gateway, which is not connected yet."""
        return Subscriber(url, token=mint(self.settings, sub=user, scope=SUBSCRIBE))

    async def deliver(self, receivers: Receivers, rate: int, seconds: float, tick_s: float = _TICK_S) -> Used:
        """Publish for so long, and wait until all is acknowledged and folded; return what that took.

        What is due at each tick is published as one batch.
        """
        arm = Arm("HTTP, batches", "batches", self.lane, rate)
        await receivers.have(await publish(self.settings, arm, self.users, rate, _WARM_S, tick_s))
        receivers.late_s.clear()
        before = await self._look()
        count = await publish(self.settings, arm, self.users, rate, seconds, tick_s)
        await receivers.have(count)
        await asyncio.sleep(_SETTLE_S)
        after = await self._look()
        return Used(
            count,
            after.at - before.at,
            {role: used - before.cpu_s[role] for role, used in after.cpu_s.items()},
            {role: wakeups - before.wakeups[role] for role, wakeups in after.wakeups.items()},
            after.windows - before.windows,
            list(receivers.late_s),
        )

    async def idle(self, seconds: float) -> dict[str, float]:
        """Return which share of a core each role uses while nothing happens for so long."""
        before, began = self.cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        passed = time.monotonic() - began
        return {role: (used - before[role]) / passed for role, used in self.cpu_s().items()}

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time that each role has used by now."""
        used: defaultdict[str, float] = defaultdict(float)
        for role, process in self.processes:
            times = process.cpu_times()
            used[role] += times.user + times.system
        return used

    async def _look(self) -> _Look:
        wakeups: Counter[str] = Counter()
        for role, process in self.processes:
            wakeups[role] += process.num_ctx_switches().voluntary
        name = f'clarion_window_items_count{{lane="{self.lane}"}}'
        windows = [(await figures_of(admin)).get(name, 0) for role, admin in self.admins if role == "lane"]
        return _Look(time.monotonic(), self.cpu_s(), wakeups, sum(windows))


@asynccontextmanager
async def running(
    env: Mapping[str, str],
    gateways: int = 1,
    workers: int = 1,
    beside: Mapping[str, int] | None = None,
    lane: Lane = Lane.NORMAL,
) -> AsyncGenerator[Path]:
    """Ingest, so many workers of a lane, the receipts role and so many gateways, while the block runs.

    `beside` names other processes that are measured as well, by their ids.
    """
    roles = ["ingest", *["lane"] * workers, "receipts", *["gateway"] * gateways]
    chosen = list(ports.choose({str(number): 0 for number in range(2 * len(roles))}, {}).values())
    of_roles = list(zip(chosen[::2], chosen[1::2], strict=True))
    of_gateways = [
        f"http://127.0.0.1:{port}" for role, (port, _) in zip(roles, of_roles, strict=True) if role == "gateway"
    ]
    urls = {
        "CLARION_INGEST_URL": f"http://127.0.0.1:{of_roles[0][0]}",
        "CLARION_GATEWAY_URL": ",".join(of_gateways),
    }
    async with own_environment({**env, **NO_LIMITS, **urls}) as own, AsyncExitStack() as ending:
        ending.enter_context(ports.kept(chosen))  # or a connection is given one of them before its process listens
        processes = [(role, psutil.Process(pid)) for role, pid in (beside or {}).items()]
        for role, (port, admin) in zip(roles, of_roles, strict=True):
            its = {**own, "CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin)}
            command = ("-m", "clarion.cli", *_ROLES[role], *([lane] if role == "lane" else []))
            process = await ending.enter_async_context(child(command, its))
            processes.append((role, process))
        for _, admin in of_roles:
            await until(lambda admin=admin: is_ready(admin), _READY_S)
        admins = [(role, admin) for role, (_, admin) in zip(roles, of_roles, strict=True)]
        yield Path(Settings.from_env(own), processes, admins, lane)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a notification costs the processes of a role, or of several."""

    us: float  # of CPU
    beyond_idle_us: float  # the same without what they use while nothing happens
    idle: float  # a share of a core: what they use then


def together(costs: Iterable[Cost]) -> Cost:
    """Return what a notification costs several roles together."""
    every = list(costs)
    return Cost(*(sum(part) for part in zip(*((one.us, one.beyond_idle_us, one.idle) for one in every), strict=True)))


async def run(env: Mapping[str, str], seconds: float, gateways: int = 1, *, rate: int = RATE) -> dict[str, Cost]:
    """Do nothing for so long, and then publish for so long, to users who acknowledge; return each role's cost."""
    async with running(env, gateways) as path, path.connected() as receivers:
        await asyncio.sleep(_SETTLE_S)
        idle = await path.idle(seconds)
        used = await path.deliver(receivers, rate, seconds)
    return {role: _cost(used, role, share) for role, share in idle.items()}


def _cost(used: Used, role: str, idle: float) -> Cost:
    return Cost(used.cpu_us(role), used.cpu_us(role) - idle * used.seconds / used.count * 1e6, idle)
