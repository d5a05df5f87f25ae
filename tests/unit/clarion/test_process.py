"""A process that is told twice to stop leaves at once, and says so."""

import asyncio
import signal
import sys

PROGRAM = """
import asyncio
from clarion.process import run
from clarion.settings import Settings

async def main(process):
    process.stopping.clear()
    await process.stopping.wait()
    await asyncio.sleep(60)

run("test", main, Settings(env="dev", host="127.0.0.1", admin_port=0))
"""


async def test_a_second_signal_is_in_the_log_and_the_exit_code_is_1() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"the process starts" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        while b"draining" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        assert await process.wait() == 1
    assert b"a second signal came: the process leaves at once" in rest
