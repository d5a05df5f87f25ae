"""Every index of every collection, made before a process serves. Making one that exists costs nothing."""

from collections.abc import Sequence
from typing import Final

import pymongo
from pymongo import IndexModel
from pymongo.errors import OperationFailure

from clarion.store import audit_log, deaths, notification_indexes, notifications, revocations, scheduled, sessions
from clarion.store.dead_letters import letters
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

# How long an index build over stored documents may take. The driver's deadline for an operation would end the build,
# and the next try would begin anew.
BUILD_S: Final = 3600.0
_INDEX_NOT_FOUND: Final = 27
# What decides how an index works. A server adds others, such as its version.
_TOLD: Final = ("key", "unique", "partialFilterExpression", "expireAfterSeconds")


def declared(database: Database) -> list[tuple[Collection, Sequence[IndexModel]]]:
    """Return each collection that has indexes beside that of `_id`, with these."""
    return [
        (notifications.collection(database), notification_indexes.INDEXES),
        (audit_log.collection(database), audit_log.INDEXES),
        (letters.collection(database), letters.INDEXES),
        (deaths.collection(database), deaths.INDEXES),
        (revocations.collection(database), revocations.INDEXES),
        (scheduled.collection(database), scheduled.INDEXES),
        (sessions.collection(database), sessions.INDEXES),
    ]


@asked
async def ensure(database: Database) -> None:
    """Make missing indexes, then drop those that earlier versions made and nothing uses any more.

    Processes that start at the same time wait for the same build. A process of an earlier version that still runs reads
    without the dropped indexes: more slowly, with the same results.
    """
    stored = notifications.collection(database)
    with pymongo.timeout(BUILD_S):
        for collection, models in declared(database):
            await collection.create_indexes(models)
    for name in notification_indexes.RETIRED_INDEXES:
        await _drop(stored, name)


async def _drop(documents: Collection, name: str) -> None:
    try:
        await documents.drop_index(name)
    except OperationFailure as error:
        if error.code != _INDEX_NOT_FOUND:
            raise


@asked
async def differences(database: Database) -> list[str]:
    """Return, in words, the declared indexes that are missing or are not as declared. Raises one of `TRANSIENT`."""
    found: list[str] = []
    for collection, models in declared(database):
        present = {one["name"]: one async for one in collection.list_indexes()}
        for model in models:
            wanted: Document = model.document
            name = f"{collection.name}.{wanted['name']}"
            index = present.get(wanted["name"])
            if index is None:
                found.append(f"{name} is missing")
            elif _compared(index) != _compared(wanted):
                found.append(f"{name} is not as declared")
            elif index.get("hidden"):
                found.append(f"{name} is hidden, so that no query uses it")
    return found


def _compared(index: Document) -> Document:
    """Return what decides how an index works, in a form that compares equal for a declared and a stored one."""
    told = {name: index[name] for name in _TOLD if name in index}
    return told | {"key": [(field, int(direction)) for field, direction in index["key"].items()]}
