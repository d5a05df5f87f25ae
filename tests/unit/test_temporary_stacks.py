"""A run that was killed leaves its folder and maybe its processes: the next one finds and ends them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from deploy.local.state import Folder, StackState
from tests.temporary_stacks import OWNED_WITHIN_S, PREFIX, sweep, temporary_folder

_RUN = """
import subprocess, sys
from deploy.local import state
from tests.temporary_stacks import temporary_folder

with temporary_folder() as folder:
    server = subprocess.Popen(["sleep", "100"], start_new_session=True)
    known = folder.load()
    known.processes["server"] = state.of(server.pid)
    folder.save(known)
    print(folder.path, server.pid, flush=True)
    sys.stdin.read()
    server.kill()
"""


class Run(NamedTuple):
    process: subprocess.Popen[str]
    folder: Path
    server: psutil.Process


@contextmanager
def run() -> Generator[Run]:
    """A process with a stack's folder, and a server that outlives it."""
    pipe, env = subprocess.PIPE, {**os.environ, "TMPDIR": tempfile.gettempdir()}
    with subprocess.Popen([sys.executable, "-c", _RUN], stdin=pipe, stdout=pipe, text=True, env=env) as process:
        assert process.stdout
        path, pid = process.stdout.readline().split()
        server = psutil.Process(int(pid))
        try:
            yield Run(process, Path(path), server)
        finally:
            process.kill()
            if is_running(server):
                server.kill()


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_what_a_killed_run_left_is_swept() -> None:
    with run() as killed:
        killed.process.kill()
        killed.process.wait()
        assert killed.folder.exists()
        assert is_running(killed.server)
        sweep()
        assert not killed.folder.exists()
        assert not is_running(killed.server)


def test_what_another_run_uses_is_not_swept() -> None:
    with run() as other, temporary_folder() as own:
        sweep()
        assert other.folder.exists()
        assert is_running(other.server)
        assert own.path.exists()
        assert other.process.stdin
        other.process.stdin.close()
        other.process.wait()
        assert not other.folder.exists()


def test_a_folder_in_use_by_a_process_that_is_not_seen_stays() -> None:
    with run() as killed:
        killed.process.kill()
        killed.process.wait()
        with Folder(killed.folder).lock():  # as it is by a container that has this folder, too
            sweep()
        assert killed.folder.exists()


def test_a_folder_without_an_owner_is_swept_once_it_is_old(tmp_path: Path) -> None:
    new, ended = tmp_path / f"{PREFIX}new", tmp_path / f"{PREFIX}ended"
    new.mkdir()
    ended.mkdir()
    Folder(ended).save(StackState())
    before = time.time() - OWNED_WITHIN_S - 1
    os.utime(ended, (before, before))
    sweep()
    assert new.exists()
    assert not ended.exists()
