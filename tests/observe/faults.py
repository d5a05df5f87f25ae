"""The faults: how each is made and mended, and how alerts, the processes' monitors and the doctor have to tell it."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from clarion.contracts.lanes import Lane
from clarion.security.tokens import PUBLISH, mint
from tests.faults.strangers import librdkafka
from tests.faults.strangers.librdkafka import Sent
from tests.faults.strangers.records import Bad, valid
from tests.observe.world import DISK_MIB, World

_FLOOD: Final = 10  # notifications at once; most of the requests are above what a sender may
_FLOOD_PAUSE_S: Final = 0.1
_FLOODS: Final = 4  # requests under way at once
_HOT: Final = 40  # notifications a second to one recipient, who may get ten
_HOT_PAUSE_S: Final = 1.0
_FREE: Final = 0.09  # of the disk, while it is nearly full
_AHEAD_S: Final = "7"
_MIB: Final = 1024 * 1024

# What follows from a lane that has stood still, or from MongoDB that was away: late deliveries.
LATE: Final = frozenset({"delivery-budget-burns"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, made on entering `broken` and mended on leaving it.

    `rule` is the trouble whose alert has to fire within `within_s`, with `labels`. `explains` are the troubles that
    may call somebody besides. `seen_by` is the process whose monitor has to find the rule; no process sees that it is
    gone itself. `doctor` names a check, and what its evidence has to say.
    """

    broken: Callable[[World], AbstractAsyncContextManager[None]]
    rule: str
    within_s: float
    doctor: tuple[str, str]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    explains: frozenset[str] = frozenset()
    seen_by: str = ""
    remembered: bool = False  # by that check of the doctor, for an hour
    needs_disk: bool = False


@asynccontextmanager
async def _mongod_stopped(at: World) -> AsyncGenerator[None]:
    await at.lose("mongodb")
    yield
    await at.stack.start_mongodb()


@asynccontextmanager
async def _lane_paused(at: World) -> AsyncGenerator[None]:
    at.stack.kill("normal", signal.SIGSTOP)
    try:
        yield
    finally:
        at.stack.kill("normal", signal.SIGCONT)


@asynccontextmanager
async def _worker_dead(at: World) -> AsyncGenerator[None]:
    await at.lose("high")
    yield
    await at.start("high")


@asynccontextmanager
async def _gateway_killed(at: World) -> AsyncGenerator[None]:
    await at.lose("gateway-2")
    yield
    await at.start("gateway-2")


@asynccontextmanager
async def _poison_sent(at: World) -> AsyncGenerator[None]:
    poison = Bad(Lane.NORMAL, b"not JSON", key=b"somebody", kind="poison")
    await librdkafka.send(at.settings, [poison], Sent())
    yield


@asynccontextmanager
async def _sender_flooding(at: World) -> AsyncGenerator[None]:
    headers = {"Authorization": f"Bearer {mint(at.settings, sub='flooding', scope=PUBLISH)}"}
    url = f"{at.settings.ingest_url}/v1/notifications"

    async def flood() -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=30, headers=headers) as http:
            while True:
                users = [f"crowd-{number}" for number in range(_FLOOD)]
                body = {"recipients": users, "type": "flood", "message": "m", "priority": "low"}
                with contextlib.suppress(httpx2.TransportError):  # ingest may be busy
                    await http.post(url, json=body)
                await asyncio.sleep(_FLOOD_PAUSE_S)

    async def floods() -> None:
        await asyncio.gather(*(flood() for _ in range(_FLOODS)))

    async with _beside(floods):
        yield


@asynccontextmanager
async def _recipient_hot(at: World) -> AsyncGenerator[None]:
    chance, sent = random.Random(2), Sent()

    async def write() -> None:
        while True:
            await librdkafka.send(at.settings, [valid(chance, "hot", [Lane.NORMAL]) for _ in range(_HOT)], sent)
            await asyncio.sleep(_HOT_PAUSE_S)

    async with _beside(write):
        yield


@asynccontextmanager
async def _disk_nearly_full(at: World) -> AsyncGenerator[None]:
    assert at.disk is not None
    ballast = at.disk / "ballast"
    await asyncio.to_thread(_fill, at.disk, ballast)
    try:
        yield
    finally:
        ballast.unlink()


def _fill(disk: Path, ballast: Path) -> None:
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - int(_FREE * DISK_MIB * _MIB))


@asynccontextmanager
async def _clock_skewed(at: World) -> AsyncGenerator[None]:
    await at.lose("observer")
    await at.start("observer", OBSERVE_AHEAD_S=_AHEAD_S)
    yield
    await at.lose("observer")
    await at.start("observer")


@asynccontextmanager
async def _beside(work: Callable[[], Coroutine[None, None, None]]) -> AsyncGenerator[None]:
    """Keep on doing something while the block runs. What fails in it comes out."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work())
        try:
            yield
        finally:
            task.cancel()


FAULTS: Final[Mapping[str, Fault]] = {
    "mongod stopped": Fault(
        _mongod_stopped,
        "dependency-down",
        within_s=20,
        labels={"dependency": "mongodb"},
        explains=LATE | {"stalled-lane", "breaker-open"},
        seen_by="normal",
        doctor=("replica-set", "does not answer"),
    ),
    "a lane paused": Fault(
        _lane_paused,
        "stalled-lane",
        within_s=45,
        labels={"lane": "normal"},
        explains=LATE,
        seen_by="observer",
        doctor=("health", "no answer"),
    ),
    "a lane's worker dead": Fault(
        _worker_dead,
        "stalled-lane",
        within_s=45,
        labels={"lane": "high"},
        explains=LATE,
        seen_by="observer",
        doctor=("workers", "nobody reads the lane high"),
    ),
    "a gateway killed": Fault(
        _gateway_killed,
        "process-gone",
        within_s=25,
        labels={"instance": "gateway-2"},
        doctor=("health", "no answer"),
    ),
    "a poison record sent": Fault(
        _poison_sent,
        "dead-letters",
        within_s=15,
        labels={"reason": "undecodable"},
        seen_by="normal",
        doctor=("dead-letters", "in the last hour"),
        remembered=True,
    ),
    "a sender flooding": Fault(
        _sender_flooding,
        "sender-flood",
        within_s=30,
        seen_by="ingest",
        doctor=("troubles", "sender-flood at ingest"),
    ),
    "a recipient hot": Fault(
        _recipient_hot,
        "hot-recipient",
        within_s=45,
        labels={"lane": "normal"},
        seen_by="normal",
        doctor=("troubles", "hot-recipient at normal"),
    ),
    "a disk nearly full": Fault(
        _disk_nearly_full,
        "disk-nearly-full",
        within_s=35,
        seen_by="observer",
        doctor=("database-disk", "the primary"),
        needs_disk=True,
    ),
    "a clock skewed": Fault(
        _clock_skewed,
        "clock-skew",
        within_s=45,
        seen_by="observer",
        doctor=("troubles", "clock-skew at observer"),
    ),
}

# For a short run: those of a line are made at once, in this order, since no one hides another.
TOGETHER: Final = (
    ("mongod stopped",),
    ("a lane paused", "a lane's worker dead"),
    (
        *("a clock skewed", "a disk nearly full", "a gateway killed"),
        *("a sender flooding", "a recipient hot", "a poison record sent"),
    ),
)
