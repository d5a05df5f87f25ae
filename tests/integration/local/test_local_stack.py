"""The local stack as a person uses it: `clarion local …` in a process of its own."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from pymongo import MongoClient

from tests.conftest import until

pytestmark = pytest.mark.slow

Clarion = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def clarion(tmp_path: Path) -> Generator[Clarion]:
    """Run `clarion local …` with a state folder of the test's own; whatever happens, nothing is left running."""
    env = {**os.environ, "CLARION_STATE": str(tmp_path / "state")}

    def run(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "clarion.cli", "local", *arguments]
        return subprocess.run(command, env=env | more, capture_output=True, text=True, timeout=100, check=False)

    yield run
    run("down")


def processes(clarion: Clarion) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(clarion("status", "--json").stdout)["processes"]}


def supervisor_of(process: dict[str, Any]) -> psutil.Process:
    parent = psutil.Process(process["pid"]).parent()
    assert parent is not None
    return parent


async def test_up_status_restart_and_down(clarion: Clarion) -> None:
    assert clarion("status").returncode == 1
    started = clarion("up", "--detach", "--servers-only")
    assert started.returncode == 0, started.stderr
    assert clarion("status").returncode == 0
    again = clarion("up", "--servers-only")
    assert again.returncode == 1
    assert "running already" in again.stderr

    before = processes(clarion)["mongodb"]
    os.kill(before["pid"], signal.SIGKILL)

    async def restarted() -> bool:
        row = processes(clarion)["mongodb"]
        return row["restarts"] == 1 and row["pid"] not in (None, before["pid"])

    await until(restarted)
    pids = [row["pid"] for row in processes(clarion).values()]
    assert clarion("down").returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert "nothing runs here" in clarion("down").stderr


def test_it_starts_again_from_a_shell_that_has_its_settings(clarion: Clarion) -> None:
    assert clarion("up", "--detach", "--servers-only").returncode == 0
    exports = clarion("env").stdout.replace("export ", "").replace("'", "").splitlines()
    settings = dict(line.split("=", 1) for line in exports)
    assert clarion("down").returncode == 0
    again = clarion("up", "--detach", "--servers-only", **settings)
    assert again.returncode == 0, again.stderr
    assert {row["name"] for row in processes(clarion).values()} == {"kafka", "mongodb"}


async def test_a_killed_supervisor_leaves_no_orphan(clarion: Clarion) -> None:
    assert clarion("up", "--detach", "--servers-only").returncode == 0
    rows = processes(clarion)
    pids = [row["pid"] for row in rows.values()]
    supervisor_of(rows["kafka"]).kill()

    async def all_gone() -> bool:
        return not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]

    await until(all_gone)


async def test_everything_ends_when_its_terminal_goes(clarion: Clarion, tmp_path: Path) -> None:
    leader, terminal = pty.openpty()
    command = [sys.executable, "-m", "clarion.cli", "local", "up", "--servers-only"]
    env = {**os.environ, "CLARION_STATE": str(tmp_path / "state")}
    supervisor = _in_terminal(command, env, terminal)
    os.close(terminal)

    async def is_up() -> bool:
        return clarion("status").returncode == 0

    await until(is_up)
    pids = [row["pid"] for row in processes(clarion).values()]
    os.close(leader)  # the kernel sends SIGHUP to the session

    async def all_gone() -> bool:
        return supervisor.poll() is not None and not [pid for pid in pids if psutil.pid_exists(pid)]

    await until(all_gone)


async def test_its_data_stays_until_reset_though_its_ports_are_taken(clarion: Clarion, tmp_path: Path) -> None:
    """The second start finds another process on its ports and takes others."""

    def mongodb() -> "MongoClient[dict[str, Any]]":
        address = processes(clarion)["mongodb"]["address"]
        return MongoClient(f"mongodb://{address}/?directConnection=true")

    assert clarion("up", "--detach", "--servers-only").returncode == 0
    with mongodb() as client:
        client["kept"]["things"].insert_one({"_id": 1})
    first = {row["address"] for row in processes(clarion).values()}
    assert clarion("down").returncode == 0
    others = [_serve_something(address) for address in first]
    for address in first:
        await until(lambda address=address: _answers(address))
    try:
        assert clarion("up", "--detach", "--servers-only").returncode == 0
        assert first.isdisjoint({row["address"] for row in processes(clarion).values()})
        with mongodb() as client:
            assert client["kept"]["things"].find_one() == {"_id": 1}
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert clarion("reset", "--yes").returncode == 0
    assert not (tmp_path / "state").exists()


def _serve_something(address: str) -> "subprocess.Popen[bytes]":
    host, port = address.split(":")
    return subprocess.Popen([sys.executable, "-m", "http.server", "--bind", host, port])


async def _answers(address: str) -> bool:
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            return (await http.get(f"http://{address}/")).status_code > 0
    except httpx2.TransportError:
        return False


def _in_terminal(command: list[str], env: dict[str, str], terminal: int) -> "subprocess.Popen[bytes]":
    """As a shell in a terminal window would start it: in a session with that terminal as the controlling one."""

    def control() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    return subprocess.Popen(
        command, env=env, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, preexec_fn=control
    )
