"""What a test of retractions waits for, and processes that are away meanwhile."""

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from clarion.store.driver.database import Database
from clarion.store.notifications import State
from deploy.local.stack import Stack
from tests.conftest import until
from tests.observing import states


async def is_stored(stored: Database, id_: str, state: State) -> None:
    async def check() -> bool:
        return await states(stored, [id_]) == [state]

    await until(check)


@asynccontextmanager
async def stopped(stack: Stack, name: str) -> AsyncGenerator[None]:
    stack.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.kill(name, signal.SIGCONT)
