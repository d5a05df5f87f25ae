"""What the local stack remembers, and who may hold its folder."""

import os
from pathlib import Path

import pytest

from deploy.local import state
from deploy.local.errors import StackError


def test_a_process_with_the_pid_of_another_is_not_taken_for_it() -> None:
    mine = state.of(os.getpid())
    assert state.find(mine) is not None
    assert state.find(state.ProcessState(mine.pid, mine.started - 1)) is None
    assert state.find(None) is None


def test_state_survives_and_only_one_supervisor_holds_the_folder(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "s")
    folder.make()
    folder.save(state.StackState(ports={"kafka": 1}, env={"A": "b"}))
    assert folder.load().ports == {"kafka": 1}
    secret = folder.secret()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert folder.secret().read_text() == secret.read_text()
    with folder.lock(), pytest.raises(StackError, match="running already"), folder.lock():
        pass
    (tmp_path / "s" / "state.json").write_text("{")
    with pytest.raises(StackError, match="clarion local reset"):
        folder.load()
