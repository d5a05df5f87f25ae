"""What only containers can do to a process, under load: nothing is lost, doubled or out of order."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.containers.link import slowed
from tests.containers.system import System
from tests.containers.traffic import flowing

BEFORE_S = 2.0
FAULT_S = 5.0
NORMAL_WITHIN_S = 30.0


async def under_load(running: System, fault: Callable[[], object], mending: Callable[[], object]) -> None:
    """Make a fault under load and mend it; half a minute later, at the latest, all has to arrive as fast as ever."""
    async with flowing(running.settings) as traffic:
        await asyncio.sleep(BEFORE_S)
        await asyncio.to_thread(fault)
        await asyncio.sleep(FAULT_S)
        await asyncio.to_thread(mending)
        normal_after_s = await traffic.normal_again(NORMAL_WITHIN_S)
    print(f"{len(traffic.settled())} sent, normal again after {normal_after_s:.1f} s")


@pytest.mark.parametrize("name", ["urgent", "receipts", "gateway-1", "kafka-2", "mongodb-1"])
async def test_a_paused_container_loses_nothing(running: System, name: str) -> None:
    container = running.fleet[name]
    await under_load(running, container.pause, container.unpause)


@pytest.mark.parametrize("name", ["normal", "ingest", "gateway-2"])
async def test_a_killed_container_loses_nothing(running: System, name: str) -> None:
    container = running.fleet[name]

    def start_again() -> None:
        container.start()
        running.fleet.wait_healthy(name)

    await under_load(running, lambda: container.kill("SIGKILL"), start_again)


@pytest.mark.parametrize("name", ["high", "kafka-3", "mongodb-2"])
async def test_a_container_cut_off_from_the_network_loses_nothing(running: System, name: str) -> None:
    network: Any = running.fleet.network._network
    container = running.fleet[name]

    def connect() -> None:
        network.connect(container, aliases=[name])

    await under_load(running, lambda: network.disconnect(container), connect)


async def test_a_slow_link_to_mongodb_loses_nothing(running: System) -> None:
    with slowed(running.fleet["mongodb-1"]):
        await under_load(running, lambda: None, lambda: None)


async def test_a_lane_out_of_memory_is_started_again(running: System) -> None:
    """The kernel ends it at its limit, and the engine starts it again by its restart policy."""
    lane, before = running.fleet["low"], running.restarts()["low"]
    # takes all that the container may have, and has the kernel choose the lane
    hog = "open('/proc/1/oom_score_adj', 'w').write('1000'); import time; x = b'x' * (250 << 20); time.sleep(60)"

    def exceed() -> None:
        lane.exec_run(["/opt/clarion/bin/python", "-c", hog], detach=True)
        running.fleet.wait("low", lambda _: lane.attrs["RestartCount"] > before, within_s=30)

    await under_load(running, exceed, lambda: running.fleet.wait_healthy("low"))
    assert running.restarts()["low"] == before + 1


async def test_a_full_disk_of_the_primary_loses_nothing(running: System) -> None:
    disk, mongodb = running.fleet["disk"], running.fleet["mongodb-1"]

    def fill() -> None:
        disk.exec_run(["sh", "-c", "cat /dev/zero >/disk/ballast"])  # ends when there is no room
        room = disk.exec_run(["df", "--output=avail", "/disk"]).output.split()[-1]
        assert room == b"0"

    def make_room() -> None:
        assert disk.exec_run(["rm", "/disk/ballast"]).exit_code == 0
        mongodb.reload()
        if mongodb.status != "running":
            mongodb.start()

    await under_load(running, fill, make_room)
