"""What MongoDB says of itself, for operators: its members, its clock, its disk, its clean-up, and what it works on.

Some of these questions need a role, such as `clusterMonitor`. Where MongoDB refuses one, `NotPermitted` is raised.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from clarion.settings import Settings
from clarion.store.driver.database import Database, Document
from clarion.store.driver.failures import asked

P = ParamSpec("P")
T = TypeVar("T")

_UNAUTHORIZED: Final = frozenset({13, 8000, 11})
_OPERATIONS_MOST: Final = 20
_WHAT: Final = ("find", "aggregate", "update", "insert", "delete", "count", "distinct", "findAndModify", "getMore")


class NotPermitted(Exception):
    """MongoDB refuses to answer this question to the user of CLARION_MONGODB."""


def permitted(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorate a question that not every user of MongoDB may ask. Raises `NotPermitted`."""

    @wraps(call)
    async def asking(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except OperationFailure as error:
            if error.code in _UNAUTHORIZED:
                raise NotPermitted(str((error.details and error.details.get("errmsg")) or error)) from error
            raise

    return asking


def addresses(settings: Settings) -> list[tuple[str, int]]:
    """Return host and port of each server that CLARION_MONGODB names, and none of its user and password.

    An address with `mongodb+srv` names none: its servers are looked up.
    """
    if settings.mongodb.startswith("mongodb+srv:"):
        return []
    found: list[tuple[str, int | None]] = parse_uri(settings.mongodb, warn=False)["nodelist"]
    return [(host, port) for host, port in found if port is not None]


@dataclass(frozen=True, slots=True)
class Hello:
    """What every member tells everybody. `set_name` is empty of a server that is in no replica set."""

    set_name: str
    is_primary: bool
    primary: str
    hosts: tuple[str, ...]
    local_time: datetime


@asked
async def hello(database: Database) -> Hello:
    """Return what the primary says of itself. Raises one of `TRANSIENT`, also when there is no primary."""
    said: Document = await database.client.admin.command("hello")
    hosts = (*said.get("hosts", ()), *said.get("passives", ()))
    now: datetime = said["localTime"].replace(tzinfo=UTC)  # a command's answer has no zones, whatever the client's are
    return Hello(said.get("setName", ""), said["isWritablePrimary"], said.get("primary", ""), hosts, now)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the replica set. `votes` and `has_data` are as configured; `state` is what MongoDB calls it."""

    host: str
    state: str
    is_healthy: bool
    votes: int
    has_data: bool


@dataclass(frozen=True, slots=True)
class Replication:
    """The replica set's members, and whether a majority writes to its journal before it acknowledges."""

    members: tuple[Member, ...]
    is_majority_journaled: bool


@permitted
@asked
async def replication(database: Database) -> Replication:
    """Return the members of the replica set. Raises one of `TRANSIENT`, or `NotPermitted`."""
    admin = database.client.admin
    status: Document = await admin.command("replSetGetStatus")
    config: Document = (await admin.command("replSetGetConfig"))["config"]
    configured = {one["host"]: one for one in config["members"]}
    members: list[Member] = []
    for one in status["members"]:
        known: Document = configured.get(one["name"], {})
        has_data, is_healthy = not known.get("arbiterOnly", False), one["health"] == 1
        members.append(Member(one["name"], one["stateStr"], is_healthy, known.get("votes", 1), has_data))
    return Replication(tuple(members), config.get("writeConcernMajorityJournalDefault", True))


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the data is on. Both are 0 where MongoDB does not tell."""

    used: int
    total: int


@permitted
@asked
async def disk(database: Database) -> Disk:
    """Return how full the primary's disk is. Raises one of `TRANSIENT`, or `NotPermitted`."""
    stats: Document = await database.command("dbStats")
    return Disk(int(stats.get("fsUsedSize", 0)), int(stats.get("fsTotalSize", 0)))


@permitted
@asked
async def is_purging(database: Database) -> bool:
    """Return whether MongoDB's clean-up by TTL indexes is on. Raises one of `TRANSIENT`, or `NotPermitted`."""
    answer: Document = await database.client.admin.command({"getParameter": 1, "ttlMonitorEnabled": 1})
    return bool(answer["ttlMonitorEnabled"])


@dataclass(frozen=True, slots=True)
class SlowOperation:
    """An operation that takes long, or took long. `plan` is how MongoDB finds its documents, empty if unknown."""

    collection: str
    what: str
    seconds: float
    plan: str = ""


@permitted
@asked
async def running(database: Database, at_least_s: float) -> list[SlowOperation]:
    """Return operations on this database that have run for `at_least_s`. Raises one of `TRANSIENT`, or `NotPermitted`.

    Waiting for changes and building an index are left out: these are meant to take long.
    """
    pipeline: list[Document] = [
        {"$currentOp": {"allUsers": True}},
        {
            "$match": {
                "ns": {"$regex": rf"^{re.escape(database.name)}\."},
                "active": True,
                "microsecs_running": {"$gte": int(at_least_s * 1e6)},
                "command.createIndexes": {"$exists": False},
                "command.hello": {"$exists": False},
            }
        },
        {"$limit": _OPERATIONS_MOST},
    ]
    found = database.client.admin.aggregate(pipeline)
    return [_slow(one, one["microsecs_running"] / 1e6) async for one in found]


@permitted
@asked
async def profiled(database: Database, since: datetime, at_least_s: float) -> list[SlowOperation] | None:
    """Return the slowest operations that the profiler noted `since` then; None while the profiler is off.

    Raises one of `TRANSIENT`, or `NotPermitted`.
    """
    level: Document = await database.command({"profile": -1})
    if not level["was"]:
        return None
    query: Document = {"ts": {"$gte": since}, "millis": {"$gte": int(at_least_s * 1000)}}
    slowest = database["system.profile"].find(query).sort("millis", -1).limit(_OPERATIONS_MOST)
    return [_slow(one, one["millis"] / 1e3) async for one in slowest]


def _slow(operation: Document, seconds: float) -> SlowOperation:
    command: Document = operation.get("command") or {}
    what = next((name for name in _WHAT if name in command), operation.get("op", "?"))
    return SlowOperation(operation["ns"].partition(".")[2], what, seconds, operation.get("planSummary", ""))
