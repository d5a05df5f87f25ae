"""A stream process whose topics nobody has made says which one it waits for, and ends at once when it is told to."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from clarion.settings import Settings
from tests.conftest import until
from tests.subprocesses import child, env_of

pytestmark = pytest.mark.slow

ROLES = {"lane": ("--lane", "high"), "receipts": (), "scheduler": ()}


@pytest.mark.parametrize("role", ROLES)
async def test_sigterm_while_it_waits_is_a_clean_end(role: str, live: Settings, tmp_path: Path) -> None:
    log, prefix = tmp_path / "log", f"nobody-{time.monotonic_ns()}-"
    own = msgspec.structs.replace(live, prefix=prefix, database="nobody", admin_port=0)
    command = ("-m", "clarion.cli", "stream", "--role", role, *ROLES[role])
    async with child(command, env_of(own), log) as process:

        async def says_what_to_do() -> bool:
            return "clarion topics apply" in log.read_text()

        await until(says_what_to_do, within_s=60)
        assert f'"{prefix}' in log.read_text()
        process.terminate()
        began = time.monotonic()

        async def is_gone() -> bool:
            return not process.is_running()

        await until(is_gone, within_s=15)
    assert time.monotonic() - began < 12
    assert "the process has stopped" in log.read_text()
    assert "process failed" not in log.read_text()


async def test_a_lane_leaves_no_temporary_folders(settings: Settings, tmp_path: Path) -> None:
    """Faust made a folder for its tables, the same for all stacks of a machine; a file of that name ended the lane."""
    log, temporary = tmp_path / "log", tmp_path / "temporary"
    temporary.mkdir()
    (temporary / f"clarion-{settings.prefix}clarion.high").write_text("in the way")
    before = set(temporary.iterdir())
    own = msgspec.structs.replace(settings, admin_port=0)
    command = ("-m", "clarion.cli", "stream", "--role", "lane", "--lane", "high")
    async with child(command, {**env_of(own), "TMPDIR": str(temporary)}, log) as process:

        async def consumes() -> bool:
            await asyncio.sleep(0.2)
            assert process.is_running(), log.read_text()
            return "the role consumes its topic" in log.read_text()

        await until(consumes, within_s=60)
        assert set(temporary.iterdir()) == before
