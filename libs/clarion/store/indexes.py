"""Every index of every collection, made before a process serves. Making one that exists costs nothing."""

from typing import Final

import pymongo
from pymongo.errors import OperationFailure

from clarion.store import deaths, notification_indexes, notifications, revocations, scheduled, sessions
from clarion.store.driver.database import Collection, Database
from clarion.store.driver.failures import asked

# How long an index build over stored documents may take. The driver's deadline for an operation would end the build,
# and the next try would begin anew.
BUILD_S: Final = 3600.0
_INDEX_NOT_FOUND: Final = 27


@asked
async def ensure(database: Database) -> None:
    """Make missing indexes, then drop those that earlier versions made and nothing uses any more.

    Processes that start at the same time wait for the same build. A process of an earlier version that still runs reads
    without the dropped indexes: more slowly, with the same results.
    """
    stored = notifications.collection(database)
    with pymongo.timeout(BUILD_S):
        await stored.create_indexes(notification_indexes.INDEXES)
        await deaths.collection(database).create_indexes(deaths.INDEXES)
        await revocations.collection(database).create_indexes(revocations.INDEXES)
        await scheduled.collection(database).create_indexes(scheduled.INDEXES)
        await sessions.collection(database).create_indexes(sessions.INDEXES)
    for name in notification_indexes.RETIRED_INDEXES:
        await _drop(stored, name)


async def _drop(documents: Collection, name: str) -> None:
    try:
        await documents.drop_index(name)
    except OperationFailure as error:
        if error.code != _INDEX_NOT_FOUND:
            raise
