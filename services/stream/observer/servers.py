"""Look at the machines of the servers: their clocks, and how much of MongoDB's disk is free."""

import asyncio
import time
from typing import Final

from clarion.broker.lag.broker_clocks import beyond, clock_skews
from clarion.broker.lag.group_lags import GroupLags
from clarion.contracts.topics import Names
from clarion.store.driver import server_state
from clarion.store.driver.database import Database
from clarion.telemetry import metrics
from services.stream.observer.lag import topics_of
from services.stream.observer.looks import Look

_EVERY_S: Final = 30.0
_WITHIN_S: Final = 10.0


def clocks_look(lags: GroupLags, names: Names, stored: Database) -> Look:
    """Return the look at the clocks of the brokers that take records, and of MongoDB's primary.

    While one of the two does not answer, the other is told. Both failing is a failure of the look.
    """
    topics = topics_of(names)

    async def look() -> None:
        answers = await asyncio.gather(clock_skews(lags, topics), _skew_of_primary(stored), return_exceptions=True)
        known = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not known:
            raise next(answer for answer in answers if isinstance(answer, BaseException))
        metrics.clock_skew_seconds.tell({(server,): skew for skews in known for server, skew in skews.items()})

    return Look("clocks", look, [metrics.clock_skew_seconds], _EVERY_S, _WITHIN_S)


async def _skew_of_primary(stored: Database) -> dict[str, float]:
    """Return by how much MongoDB's clock is ahead, by its address. Less than the time that it takes to ask is 0."""
    earliest = time.time()
    clock = await server_state.clock_of_primary(stored)
    return {clock.address: beyond(clock.now.timestamp(), earliest, time.time())}


def disk_look(stored: Database) -> Look:
    """Return the look at the disk of MongoDB's primary."""

    async def look() -> None:
        metrics.store_free_ratio.set(await server_state.free_ratio(stored))

    return Look("disk", look, [metrics.store_free_ratio], _EVERY_S, _WITHIN_S)
