"""What MongoDB tells of the machine it runs on: its clock, and how much of its disk is free."""

from datetime import UTC, datetime
from typing import NamedTuple

from clarion.store.driver.database import Database
from clarion.store.driver.failures import asked


class Clock(NamedTuple):
    """The time by the clock of the server at `address`, its host and port."""

    address: str
    now: datetime


@asked
async def clock_of_primary(database: Database) -> Clock:
    """Return the time of the primary. Raises one of `TRANSIENT`."""
    told = await database.client.admin.command("hello")
    # the driver's options for dates, which this database has, do not concern what a command answers
    return Clock(told.get("me", "mongodb"), told["localTime"].replace(tzinfo=UTC))


@asked
async def free_ratio(database: Database) -> float:
    """Return which part of the primary's disk is free, from 0 to 1. Raises one of `TRANSIENT`."""
    told = await database.command("dbStats")
    return 1 - told["fsUsedSize"] / told["fsTotalSize"]
