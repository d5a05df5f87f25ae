"""The command `clarion` in a process of its own, with the settings of a stack."""

import asyncio
import os
import sys

from deploy.local.stack import Stack


async def clarion(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", *arguments),
        env={**os.environ, **stack.env, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(90):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
