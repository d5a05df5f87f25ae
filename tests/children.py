"""Processes that a test or a bench starts itself."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import psutil


@asynccontextmanager
async def child(command: Sequence[str], env: Mapping[str, str]) -> AsyncGenerator[psutil.Process]:
    """A process of ours that is killed at the end of the block."""
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), env={**os.environ, **env}, stdout=nothing, stderr=nothing
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
