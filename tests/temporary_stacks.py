"""Stacks in temporary folders, which end with them. What killed runs left goes before another one begins."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from deploy.local import leftovers, state
from deploy.local.errors import StackError
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder, StackState

PREFIX: Final = "clarion-stack-"
OWNED_WITHIN_S: Final = 60.0  # a younger folder without an owner may have just been made


@asynccontextmanager
async def temporary_stack(plan: Plan, report: Callable[[str], None] = lambda _: None) -> AsyncGenerator[Stack]:
    """A stack that runs as long as the block does, and whose data and logs go with it."""
    await asyncio.to_thread(sweep)
    with temporary_folder() as folder:
        async with running(folder, plan, report) as stack:
            yield stack


@contextmanager
def temporary_folder() -> Generator[Folder]:
    """A folder for a stack, which says whose it is from the beginning. It is deleted at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as path:
        folder = Folder(Path(path))
        folder.save(StackState(supervisor=state.of(os.getpid())))
        yield folder


def sweep() -> None:
    """Delete the folders whose process was killed, and end what still runs there."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        folder = Folder(path)
        with suppress(OSError, StackError):  # somebody else's, or gone meanwhile
            if _is_left(folder):
                with folder.lock():  # a container that shares the folder has it: its processes are not seen here
                    leftovers.end(leftovers.find(folder.load()))
                    shutil.rmtree(path)


def _is_left(folder: Folder) -> bool:
    owner = folder.load().supervisor
    if owner is None:  # killed right at the beginning or the end
        return time.time() - folder.path.stat().st_mtime > OWNED_WITHIN_S
    return state.find(owner) is None
