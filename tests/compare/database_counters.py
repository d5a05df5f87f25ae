"""What MongoDB itself counts: the time and number of operations, and who is connected to it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.servers.ports import HOST

_NAME: Final = "clarion-compare"  # by which our own connections are told from a system's
_KINDS: Final = ("reads", "writes")  # `commands` has those that wait for news by design, such as `hello`
_ANSWERS_MS: Final = 2_000

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many operations there were since mongod began, and how long they took together."""

    operations: int
    latency_us: int

    def since(self, before: "Counted") -> "Counted":
        """Return what was added."""
        return Counted(self.operations - before.operations, self.latency_us - before.latency_us)


@contextmanager
def connected(port: int) -> Generator[Client]:
    """Yield a client of the mongod on this port."""
    with MongoClient[dict[str, Any]](
        HOST,
        port,
        directConnection=True,
        appname=_NAME,
        serverSelectionTimeoutMS=_ANSWERS_MS,
        socketTimeoutMS=_ANSWERS_MS,
    ) as client:
        yield client


def look(client: Client) -> Counted:
    """Return what mongod has counted by now."""
    kinds = client.admin.command("serverStatus")["opLatencies"]
    return Counted(
        sum(kinds[kind]["ops"] for kind in _KINDS),
        sum(kinds[kind]["latency"] for kind in _KINDS),
    )


def connections(client: Client) -> int:
    """Return how many connections others have; 0 while mongod does not answer."""
    stages = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"client": {"$exists": True}, "appName": {"$ne": _NAME}}},
        {"$group": {"_id": "$connectionId"}},
        {"$count": "count"},
    ]
    try:
        return next((int(one["count"]) for one in client.admin.aggregate(stages)), 0)
    except PyMongoError:
        return 0
