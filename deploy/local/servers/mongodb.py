"""Run mongod on loopback as a replica set of one, which retryable writes and majority writes need."""

import importlib.util
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.errors import StackError
from deploy.local.servers.ports import HOST

_SET: Final = "rs0"
_NOT_INITIATED: Final = 94
_CACHE_GB: Final = "0.25"
# mongod stores this many documents of a bulk insert in one transaction; its default is 500. A majority write waits for
# all transactions that began before it, so an urgent insert waits for this many bulk documents: half as long at p99.
_DOCUMENTS_AT_ONCE: Final = 64
# In percent of the cache. By default mongod writes pages out from 2.5 % of updates on, and so writes the indexes that
# begin with the recipient again and again: a quarter of its CPU beside bulk, for which urgent inserts wait.
_EVICTION: Final = "eviction_dirty_target=15,eviction_updates_target=15,eviction_updates_trigger=20"


def binary() -> Path | None:
    """Return the mongod of the package; None where it has no wheel for this platform."""
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "db" / "bin" / "mongod"
        if path.exists():
            return path
    return None


def command(data: Path, port: int, *, full_speed: bool = False) -> list[str]:
    """Return the command that runs mongod on `data`. Raise `StackError` where there is none for this platform."""
    mongod = binary()
    if mongod is None:
        raise StackError("there is no mongod for this platform", "run `docker compose up` instead")
    return [
        str(mongod),
        *("--dbpath", str(data)),
        *("--port", str(port)),
        *("--bind_ip", HOST),
        *("--replSet", _SET),
        # a benchmark gets mongod's default: with a small cache it measures eviction, which takes more CPU than inserts
        *([] if full_speed else ["--wiredTigerCacheSizeGB", _CACHE_GB]),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        *("--setParameter", f"internalInsertMaxBatchSize={_DOCUMENTS_AT_ONCE}"),
        *("--wiredTigerEngineConfigString", _EVICTION),
        "--nounixsocket",
        "--quiet",
    ]


def uri(port: int) -> str:
    """Return the connection string of the replica set."""
    return f"mongodb://{HOST}:{port}/?replicaSet={_SET}"


def is_ready(port: int) -> bool:
    """Return whether mongod accepts writes.

    At the first start this makes the replica set, and after the port has changed it changes the member's address.
    """
    client: MongoClient[dict[str, Any]] = MongoClient(
        HOST, port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500, socketTimeoutMS=5_000
    )
    with client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            _configure(client, f"{HOST}:{port}")
        except PyMongoError:
            return False
    return False


def _configure(client: MongoClient[dict[str, Any]], member: str) -> None:
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_INITIATED:
            raise
        client.admin.command("replSetInitiate", {"_id": _SET, "members": [{"_id": 0, "host": member}]})
        return
    if config["members"][0]["host"] != member:
        config["members"][0]["host"] = member
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
