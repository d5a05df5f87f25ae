"""The connection to MongoDB, its errors, and what every collection needs of its driver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.errors import InvalidDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import AsyncMongoClient, DeleteOne, ReadPreference, UpdateMany, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    CursorNotFound,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    WriteConcernError,
)

from clarion.settings import Settings

Document = dict[str, Any]
Fields = Mapping[str, Any]  # a document to be written, perhaps encoded already
Write = UpdateOne | UpdateMany | DeleteOne
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]
LoopCollection = AsyncCollection[Document]  # see `connect_reads`
LoopDatabase = AsyncDatabase[Document]

OPERATION_S: Final = 5.0
_OPTIONS: Final[dict[str, Any]] = {
    "timeoutMS": int(OPERATION_S * 1000),
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 2_000,
    "maxPoolSize": 50,
    "tz_aware": True,
    "appname": "clarion",
}

_ERROR_CHARS: Final = 500
_DUPLICATE_KEY: Final = 11000
# ShutdownInProgress, PrimarySteppedDown, NotWritablePrimary, InterruptedAtShutdown, InterruptedDueToReplStateChange
_PASSING: Final = frozenset({_DUPLICATE_KEY, 91, 189, 10107, 11600, 11602})
# BadValue, FailedToParse, TypeMismatch, InvalidBSON, BSONObjectTooLarge, KeyTooLong: said of a command's content
_OF_CONTENT: Final = frozenset({2, 9, 14, 22, 10334, 17280})


class Unsure(Exception):
    """A write of which it is unknown whether it will last."""


class Unacceptable(Exception):
    """The server takes nothing of a command, because of what is in it: of some document, which it does not name."""


# What may pass by itself.
TRANSIENT: Final[tuple[type[Exception], ...]] = (
    ConnectionFailure,
    ExecutionTimeout,
    WriteConcernError,  # WTimeoutError is one, and what a server says that is being shut down
    CursorNotFound,
    Unsure,
)


def connect(settings: Settings) -> Database:
    """Connect lazily; the first operation finds out whether the server is there.

    Majority and journalled writes, because what is acknowledged to Kafka must survive a failover; reads from the
    primary, because "stored, then read who is connected" only holds there; one deadline for each operation.
    """
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        settings.mongodb, w="majority", journal=True, retryWrites=True, **_OPTIONS
    )
    return client.get_database(settings.database, read_preference=ReadPreference.PRIMARY)


def connect_reads(settings: Settings) -> LoopDatabase:
    """As `connect`, to read by the hundred thousand: on the event loop itself. Needs a running one.

    Motor hands each operation to a thread and back. While such threads decode, the loop waits for the interpreter in
    each of its turns, and what is live waits for many turns.
    """
    client = AsyncMongoClient[Document](settings.mongodb, **_OPTIONS)
    return client.get_database(settings.database, read_preference=ReadPreference.PRIMARY)


async def probe(database: Database) -> None:
    await database.command("ping")


def close(database: Database) -> None:
    database.client.close()


async def close_reads(database: LoopDatabase) -> None:
    await database.client.close()


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """One document of a bulk write that failed; `is_repeat` when its `_id` was there already."""

    index: int
    is_repeat: bool
    error: str


async def write(documents: Collection, changes: Sequence[Write], *, ordered: bool = True) -> None:
    """Changes that are harmless to make again, in one majority-acknowledged command. Raises one of TRANSIENT.

    A server that is being shut down, or steps down, says so of the whole command, or of its changes, or only that it
    does not know whether they last. Of two upserts of one `_id` at once, one may be told of a duplicate key.
    """
    if not changes:
        return
    try:
        await documents.bulk_write(changes, ordered=ordered)
    except BulkWriteError as error:
        if {failed["code"] for failed in error.details["writeErrors"]} <= _PASSING:
            raise Unsure(str(error)[:_ERROR_CHARS]) from error
        raise


async def insert(documents: Collection, batch: Sequence[Fields]) -> list[WriteFailure]:
    """One unordered, majority-acknowledged insert; what was refused, and why. Every document brings its `_id`.

    The command itself, since the driver's `insert_many` costs nearly twice its CPU in bookkeeping for each document.

    Raises one of TRANSIENT when it is unknown what was written, and `Unacceptable` when nothing was, nor ever will be.
    """
    concern = {"w": "majority", "j": True}
    try:
        reply: Document = await documents.database.command(
            {"insert": documents.name, "documents": batch, "ordered": False, "writeConcern": concern}
        )
    except (InvalidDocument, DocumentTooLarge, OverflowError) as error:
        raise Unacceptable(f"it cannot be sent: {error}") from error
    except OperationFailure as error:
        if error.code in _OF_CONTENT:
            raise Unacceptable(f"{error.code}: {error}"[:_ERROR_CHARS]) from error
        raise
    if lost := reply.get("writeConcernError"):
        raise Unsure(str(lost))
    return [
        WriteFailure(
            index=failed["index"],
            is_repeat=failed["code"] == _DUPLICATE_KEY and list(failed.get("keyPattern", {"_id": 1})) == ["_id"],
            error=f"{failed['code']}: {failed.get('errmsg', '')}"[:_ERROR_CHARS],
        )
        for failed in reply.get("writeErrors", [])
    ]


__all__ = [
    "TRANSIENT",
    "Collection",
    "Database",
    "Document",
    "Fields",
    "Unacceptable",
    "close",
    "connect",
    "insert",
    "probe",
    "write",
]
