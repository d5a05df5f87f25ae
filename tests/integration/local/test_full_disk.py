"""The local stack on a disk that fills up: who says what, what is accepted, and what comes back once there is room."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from clarion.client import Lane, Subscriber
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local import state
from deploy.local.child import Child
from deploy.local.errors import StackError
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests.conftest import until
from tests.subprocesses import health_of
from tests.tmpfs import tmpfs

pytestmark = pytest.mark.slow

SUPERVISOR_MIB: Final = 32  # its own files, and a little more than what it takes for room
STACK_MIB: Final = 768  # mongod's journal has 300 MiB, and after its end it writes another
STAYS_FULL_S: Final = 10.0  # restarts with backoff alone would be five to nine in that time
LOG_LINES: Final = 500  # of mongod one end is about 120, one start as many, and each process that comes back some ten
DOWN: Final = {"kafka is down", "mongodb is down"}
ITEM_CHARS: Final = 4_000  # a page: nothing of it fits into what its file has left


@contextmanager
def disk(place: Path, mib: int) -> Generator[Path]:
    """A disk of that size. Not everybody may mount one: then its tests say so."""
    with ExitStack() as ends:
        try:
            ends.enter_context(tmpfs(place, mib))
        except OSError as error:
            pytest.skip(str(error.strerror))
        yield place


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    with disk(tmp_path / "disk", SUPERVISOR_MIB) as place:
        yield place


def fill(disk: Path) -> Path:
    """Leave not a byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 65_536):
            pass
    return ballast


async def test_the_supervisor_outlives_a_full_disk_and_names_it(
    small_disk: Path,
) -> None:
    said: list[str] = []
    stack = Stack(Folder(small_disk / "state"), Plan(servers_only=True), said.append)
    stack.folder.make()
    stack._save()
    changed: Callable[[Child, str], None] = stack._changed
    has_room: Callable[[], bool] = stack._has_room
    child = Child("sleeper", ["sleep", "1000"], {}, stack.folder.log("sleeper"), changed, has_room=has_room)
    stack.children["sleeper"] = child
    running_child = asyncio.create_task(child.run())
    try:

        async def is_up() -> bool:
            return child.pid is not None

        await until(is_up)
        ballast = fill(small_disk)
        stack._save()  # what it knows does not fit: the old state stays whole
        assert stack.folder.load().processes["sleeper"].pid == child.pid
        stack.folder.log("sleeper").unlink()  # a log that has to be made anew takes room, too
        before = child.pid
        stack.kill("sleeper")

        async def is_said() -> bool:
            return any(f"the disk of {stack.folder.path} is full" in line and "Make room" in line for line in said)

        await until(is_said)
        assert not running_child.done()
        ballast.unlink()

        async def is_up_again() -> bool:
            known = stack.folder.load().processes.get("sleeper")
            return child.pid not in (None, before) and known is not None and known.pid == child.pid

        await until(is_up_again)
        assert child.restarts == 1
    finally:
        await child.stop(5)
        await running_child


async def test_stopping_on_a_full_disk_does_not_wait_for_room(small_disk: Path) -> None:
    stack = Stack(Folder(small_disk / "state"), Plan(servers_only=True))
    stack.folder.make()
    fill(small_disk)
    child = Child("end", ["true"], {}, stack.folder.log("end"), stack._changed, has_room=stack._has_room)
    running_child = asyncio.create_task(child.run())

    async def has_ended() -> bool:
        return child.failures > 0

    await until(has_ended)
    await child.stop(5)
    async with asyncio.timeout(5):
        await running_child


async def test_a_start_on_a_full_disk_says_so_and_spoils_no_next_start(small_disk: Path) -> None:
    folder = Folder(small_disk / "state")
    ballast = fill(small_disk)
    with pytest.raises(StackError, match=rf"the disk of {folder.path} is full.*\n.*make room there"):
        async with running(folder, Plan(servers_only=True, any_ports=True)):
            pass
    with pytest.raises(OSError, match="No space left"):
        folder.secret()
    ballast.unlink()
    assert len(folder.secret().read_text()) > 32


# ---- everything


class Cli:
    """`clarion local …` as a person runs it."""

    def __init__(self, folder: Folder) -> None:
        self._env = {**os.environ, "CLARION_STATE": str(folder.path)}

    async def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "clarion.cli", "local", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=self._env, capture_output=True, text=True, timeout=170, check=False
        )

    async def processes(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in json.loads((await self.run("status", "--json")).stdout)["processes"]}


class Sender:
    """Publishes lane after lane and keeps what was accepted. A refusal has to be a problem that tells a cause."""

    def __init__(self, http: httpx2.AsyncClient, settings: Settings) -> None:
        self.accepted: set[str] = set()
        self.refused: list[str] = []
        self._http = http
        self._url = f"{settings.ingest_url}/v1/notifications"
        self._headers = {"Authorization": f"Bearer {mint(settings, sub='tests', scope=PUBLISH)}"}
        self._lanes = itertools.cycle(Lane)

    async def post(self, recipient: str) -> bool:
        body = {"recipient": recipient, "type": "t", "message": "m", "priority": next(self._lanes)}
        answer = await self._http.post(
            self._url, json={**body, "data": {"much": "x" * ITEM_CHARS}}, headers=self._headers, timeout=30
        )
        if answer.status_code == 202:
            self.accepted.add(answer.json()["id"])
            return True
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        self.refused.append(answer.json()["detail"])
        return False


class Receiver:
    """What came to some users, from now on."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    async def read(self, settings: Settings, user: str) -> None:
        token = mint(settings, sub=user, scope=SUBSCRIBE)
        async with Subscriber(settings.gateway_urls, token=token) as notifications:
            async for item in notifications:
                self.ids.add(item.id)


def lines_of(folder: Folder) -> dict[str, int]:
    return {log.name: log.read_bytes().count(b"\n") for log in folder.logs.iterdir()}


async def checkpoint(settings: Settings) -> None:
    """Have mongod write its files, as it does by itself once a minute."""

    def sync() -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(settings.mongodb, serverSelectionTimeoutMS=100)
        with client, suppress(PyMongoError):  # it ends of it
            client.admin.command("fsync")

    await asyncio.to_thread(sync)


@pytest.mark.timeout(300)  # a stack of its own
async def test_what_was_accepted_outlives_a_full_disk(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", STACK_MIB) as place:
        folder = Folder(place / "state")
        cli = Cli(folder)
        try:
            started = await cli.run("up", "--detach", "--gateways", "1")
            assert started.returncode == 0, started.stderr
            await fill_and_free(place, folder, cli)
        finally:
            await cli.run("down")


async def fill_and_free(place: Path, folder: Folder, cli: Cli) -> None:
    known = folder.load()
    settings = Settings.from_env(known.env)
    services = {name: port for name, port in known.ports.items() if name.endswith("-admin")}
    receiver = Receiver()
    async with httpx2.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as tasks:
        sender = Sender(http, settings)
        reading = [tasks.create_task(receiver.read(settings, "ann"))]
        for _ in range(8):
            assert await sender.post("ann")
            assert await sender.post("bob")  # who is away
        lines = lines_of(folder)
        ballast = fill(place)

        async def servers_have_ended() -> bool:
            await sender.post("ann")
            await checkpoint(settings)
            rows = await cli.processes()
            return rows["kafka"]["pid"] is None and rows["mongodb"]["pid"] is None

        await until(servers_have_ended, within_s=90)

        async def all_say_why() -> bool:
            told = [await health_of(port) for port in services.values()]
            return all(
                one["status"] == "degraded" and {reason.partition(":")[0] for reason in one["reasons"]} >= DOWN
                for one in told
            )

        await until(all_say_why)
        ends = time.monotonic() + STAYS_FULL_S
        while time.monotonic() < ends:
            assert not await sender.post("ann")
            await asyncio.sleep(0.5)
        assert "Kafka is down, and nothing was accepted: try again later" in sender.refused
        assert all(sender.refused)
        said = (await cli.run("status")).stderr.replace("\n", "")
        assert f"the disk of {folder.path} is full" in said
        assert "Make room there" in said
        assert state.find(known.supervisor)

        ballast.unlink()

        async def is_up() -> bool:
            return (await cli.run("status")).returncode == 0

        await until(is_up, within_s=60)
        await until(lambda: sender.post("ann"), within_s=60)
        restarts = {name: row["restarts"] for name, row in (await cli.processes()).items() if row["restarts"]}
        assert restarts == {"kafka": 1, "mongodb": 1}
        reading.append(tasks.create_task(receiver.read(settings, "bob")))

        async def all_came() -> bool:
            return sender.accepted <= receiver.ids

        await until(all_came)
        # Kafka may take what it did not acknowledge in time: the answer says so
        assert len(receiver.ids - sender.accepted) <= len(sender.refused)

        async def all_well() -> bool:
            """What the monitor of a process has found holds for some minutes more."""
            told = [await health_of(port) for port in services.values()]
            servers = [server for one in told for server in one["dependencies"].values()]
            return all(one["status"] != "failing" for one in told) and all(server["up"] for server in servers)

        await until(all_well)
        for task in reading:
            task.cancel()
    more = {name: count - lines.get(name, 0) for name, count in lines_of(folder).items()}
    assert max(more.values()) <= LOG_LINES, more
    assert f"the disk of {folder.path} is full" in folder.log("supervisor").read_text().replace("\n", "")
