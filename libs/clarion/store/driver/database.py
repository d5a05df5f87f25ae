"""The connection to MongoDB, its errors, and what every collection needs of its driver."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import AsyncMongoClient, DeleteOne, ReadPreference, UpdateMany, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.client_options import ClientOptions
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from clarion.settings import Settings
from clarion.store.driver.failures import (
    DUPLICATE_KEY,
    ERROR_CHARS,
    PASSING,
    TRANSIENT,
    UNENCODABLE,
    Unacceptable,
    Unsure,
    asked,
    in_words,
    is_of_content,
    passes,
)
from clarion.store.driver.interruptions import Interruptions
from clarion.store.driver.isolating import Sent, WriteFailure, isolated
from clarion.store.driver.security import secured
from clarion.telemetry import metrics
from clarion.telemetry.health import Unanswered

Document = dict[str, Any]
Fields = Mapping[str, Any]  # a document to write, which may be encoded already
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


def connect(settings: Settings) -> Database:
    """Return a database that connects lazily: the first operation finds out whether the server is there.

    Writes are acknowledged by a majority and journalled, because what is acknowledged to Kafka must survive a failover.
    Reads go to the primary, because "stored, then read who is connected" holds only there (D-majority). Each operation
    has one deadline. Raises `SettingsError` when the driver refuses the connection string, or a file cannot be used.
    """
    make: Callable[..., AsyncIOMotorClient[Document]] = AsyncIOMotorClient
    majority: dict[str, Any] = {"w": "majority", "journal": True, "retryWrites": True}
    client = secured(settings, make, _options_of, event_listeners=[Interruptions()], **majority, **_OPTIONS)
    return client.get_database(settings.database, read_preference=ReadPreference.PRIMARY)


def connect_reads(settings: Settings) -> LoopDatabase:
    """Return a database as `connect` does, whose client works on the event loop itself. Needs a running loop.

    It is for catch-up reads, of which there may be hundreds of thousands. Motor hands each operation to a thread and
    back. While such threads decode, the loop waits for the interpreter in each of its turns, and a live delivery takes
    many turns.
    """
    client = secured(settings, AsyncMongoClient[Document], lambda client: client.options, **_OPTIONS)
    return client.get_database(settings.database, read_preference=ReadPreference.PRIMARY)


def interruptions(database: Database) -> Interruptions:
    """Return what counts how often the connection of a database from `connect` broke."""
    options: Any = database.client.options  # which motor's types take for a method
    return next(one for one in options.event_listeners if isinstance(one, Interruptions))


def _options_of(client: AsyncIOMotorClient[Document]) -> ClientOptions:
    wrapped: Any = client.delegate
    return wrapped.options


async def probe(database: Database) -> None:
    """Ping the server. Raises `Unanswered`."""
    try:
        await database.command("ping")
    except PyMongoError as error:
        raise Unanswered(in_words(error)) from error


def close(database: Database) -> None:
    """Close the connections of a database from `connect`."""
    database.client.close()


async def close_reads(database: LoopDatabase) -> None:
    """Close the connections of a database from `connect_reads`."""
    await database.client.close()


async def write(documents: Collection, changes: Sequence[Write], *, ordered: bool = True) -> list[WriteFailure]:
    """Make changes that are harmless to make again, majority-acknowledged. Return those that can never be made.

    All others are made, in order unless `ordered` is False. Raises one of `TRANSIENT`.
    """

    async def send(some: Sequence[Write]) -> Sent:
        try:
            await documents.bulk_write(some, ordered=ordered)
        except BulkWriteError as error:
            return _failed(error, len(some), ordered=ordered)
        except (*UNENCODABLE, OperationFailure) as error:
            raise _of_command(error) from error
        return Sent(len(some))

    refused = await isolated(changes, send)
    if refused:
        metrics.writes_refused.labels(documents.name).inc(len(refused))
    return refused


def _failed(error: BulkWriteError, tried: int, *, ordered: bool) -> Sent:
    """Return which changes can never be made. Raises `Unsure` when trying again may make some of the others.

    A server that shuts down or steps down says so for the whole command, or for single changes, or says only that it
    does not know whether they last. When two upserts of one `_id` meet, one of them may get a duplicate key.
    """
    failed: list[Document] = error.details["writeErrors"]
    if not failed or any(one["code"] in PASSING or one["code"] == DUPLICATE_KEY for one in failed):
        # not `from error`: its text quotes the changes, which may hold what a notification says, and would be logged
        unsure: list[Document] = [*failed, *error.details.get("writeConcernErrors", [])]
        raise Unsure("; ".join(map(_told, unsure[:3])) or "MongoDB does not know whether changes last") from None
    failures = [WriteFailure(one["index"], _told(one)) for one in failed]
    return Sent(failures[0].index + 1 if ordered else tried, failures)


def _of_command(error: Exception) -> Exception:
    """Return the error to raise for `error`, which a whole command has failed with."""
    if not isinstance(error, OperationFailure):
        return Unacceptable(f"the document cannot be sent: {error}"[:ERROR_CHARS])
    if passes(error):
        return Unsure(f"MongoDB error {error.code}: {error}"[:ERROR_CHARS])
    return Unacceptable(f"MongoDB error {error.code}: {error}"[:ERROR_CHARS]) if is_of_content(error) else error


def _told(failed: Document) -> str:
    return f"MongoDB error {failed.get('code')}: {failed.get('errmsg', '')}"[:ERROR_CHARS]


async def insert(documents: Collection, batch: Sequence[Fields]) -> list[WriteFailure]:
    """Insert documents, unordered and majority-acknowledged; return those that were not inserted, and why.

    Every document brings its `_id`. The command is sent as such, since the driver's `insert_many` costs nearly twice
    its CPU, in bookkeeping for each document. Raises one of `TRANSIENT` when it is unknown what was written.
    """

    async def send(some: Sequence[Fields]) -> Sent:
        concern = {"w": "majority", "j": True}
        try:
            reply: Document = await documents.database.command(
                {"insert": documents.name, "documents": some, "ordered": False, "writeConcern": concern}
            )
        except (*UNENCODABLE, OperationFailure) as error:
            raise _of_command(error) from error
        if lost := reply.get("writeConcernError"):
            raise Unsure(str(lost))
        return Sent(len(some), [_not_inserted(failed) for failed in reply.get("writeErrors", [])])

    return await isolated(batch, send)


def _not_inserted(failed: Document) -> WriteFailure:
    """Return a part that was not inserted. Only a duplicate `_id` is a repeat: after another one, nothing is stored."""
    is_repeat = failed["code"] == DUPLICATE_KEY and list(failed.get("keyPattern", {"_id": 1})) == ["_id"]
    return WriteFailure(failed["index"], _told(failed), is_repeat, passing=failed["code"] in PASSING)


__all__ = [
    "TRANSIENT",
    "Collection",
    "Database",
    "Document",
    "Fields",
    "Interruptions",
    "Unacceptable",
    "Unsure",
    "WriteFailure",
    "asked",
    "close",
    "connect",
    "insert",
    "interruptions",
    "probe",
    "write",
]
