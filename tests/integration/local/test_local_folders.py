"""The local stack in folders of any name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import Plan, running
from deploy.local.state import Folder

pytestmark = pytest.mark.slow

NAME = "a, b:c'd é ü%20 #1 [bold] $HOME \\n;x"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_it_writes_only_in_its_folder_whatever_its_name(tmp_path: Path) -> None:
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


def test_a_shell_reads_its_settings_in_a_folder_of_any_name(tmp_path: Path) -> None:
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
