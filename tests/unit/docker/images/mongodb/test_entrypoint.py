"""The image of MongoDB is called as the official one, and refuses what it cannot do."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import repository

SCRIPT = repository() / "deploy" / "docker" / "images" / "mongodb" / "entrypoint.sh"


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it with a mongod that prints how it was called."""
    mongod = folder / "mongod"
    mongod.write_text('#!/bin/sh\necho "$@"\n')
    mongod.chmod(0o755)
    return subprocess.run(
        ["sh", SCRIPT, *arguments],
        env={"PATH": f"{folder}:/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


@pytest.mark.parametrize("called", [("mongod", "--replSet", "rs0"), ("--replSet", "rs0")], ids=["named", "options"])
def test_mongod_listens_on_all_addresses(tmp_path: Path, called: tuple[str, ...]) -> None:
    assert run(tmp_path, *called).stdout == "--replSet rs0 --bind_ip_all\n"


def test_addresses_that_are_named_stay(tmp_path: Path) -> None:
    assert run(tmp_path, "mongod", "--bind_ip", "127.0.0.1").stdout == "--bind_ip 127.0.0.1\n"


def test_another_command_is_run_as_it_is(tmp_path: Path) -> None:
    assert run(tmp_path, "echo", "hello").stdout == "hello\n"


def test_variables_that_ask_for_users_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "mongod", MONGO_INITDB_ROOT_USERNAME="root")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "use the image mongo" in done.stderr
