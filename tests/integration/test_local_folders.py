"""The local stack in folders of any name, and on a disk that is full."""

import asyncio
import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests.conftest import until

NAME = "a, b:c'd é ü%20 #1 [bold] $HOME \\n;x"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_it_starts_twice_in_a_folder_of_any_name_and_writes_nowhere_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path / NAME / "state")
    for _ in range(2):
        async with running(folder, Plan(servers_only=True, any_ports=True)):
            pass
    assert names(tmp_path) == [NAME]
    assert names(tmp_path / NAME) == ["state"]
    assert "meta.properties" in names(folder.path / "kafka" / "data")


def clarion(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "CLARION_STATE": str(folder)}
    command = [sys.executable, "-m", "clarion.cli", "local", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_shell_reads_its_settings_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = Folder(tmp_path / f"{NAME}\nnext line")
    folder.make()
    state = folder.load()
    state.env = {"CLARION_JWT_SECRET_FILE": str(folder.secret())}
    folder.save(state)
    said = clarion(folder.path, "env").stdout
    shell = ["sh", "-c", 'eval "$1"; cat "$CLARION_JWT_SECRET_FILE"', "sh", said]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == folder.secret().read_text()


def test_reset_cures_a_state_that_cannot_be_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path / NAME)
    folder.make()
    (folder.path / "state.json").write_text("{")
    done = clarion(folder.path, "reset", "--yes")
    assert done.returncode == 0, done.stderr
    assert not folder.path.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of one MiB. Not everybody may mount one: then its tests say so."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "disk"
    place.mkdir()
    if libc.mount(b"tmpfs", str(place).encode(), b"tmpfs", 0, b"size=1m") != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield place
    finally:
        libc.umount2(str(place).encode(), 2)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        ballast.write_bytes(b"x" * 2 * 1024 * 1024)
    return ballast


async def test_on_a_full_disk_the_supervisor_goes_on_says_what_is_full_and_starts_again_what_died(
    small_disk: Path,
) -> None:
    said: list[str] = []
    stack = Stack(Folder(small_disk / "state"), Plan(servers_only=True), said.append)
    stack.folder.make()
    stack._save()
    changed: Callable[[Child, str], None] = stack._changed
    child = Child("sleeper", ["sleep", "1000"], {}, stack.folder.log("sleeper"), changed)
    stack.children["sleeper"] = child
    running_child = asyncio.create_task(child.run())
    try:

        async def is_up() -> bool:
            return child.pid is not None

        await until(is_up)
        ballast = fill(small_disk)
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
    finally:
        await child.stop(5)
        await running_child
    assert shutil.disk_usage(small_disk).free > 0
