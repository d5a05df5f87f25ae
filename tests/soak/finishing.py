"""Work that is done to its end, although whoever waits for it is told to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def finished(work: Coroutine[Any, Any, None]) -> None:
    """Await a piece of work; when this is cancelled meanwhile, the work is done first. Raise what the work raises."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
