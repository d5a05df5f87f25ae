"""Every index of every collection, made before a process serves. Making one that exists is free."""

from clarion.store import notifications, revocations, scheduled, sessions
from clarion.store.database import Database
from clarion.store.failures import asked


@asked
async def ensure(database: Database) -> None:
    await notifications.collection(database).create_indexes(notifications.INDEXES)
    await revocations.collection(database).create_indexes(revocations.INDEXES)
    await scheduled.collection(database).create_indexes(scheduled.INDEXES)
    await sessions.collection(database).create_indexes(sessions.INDEXES)
