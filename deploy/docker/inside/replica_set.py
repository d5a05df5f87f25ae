"""Make a replica set of the members named, once, and wait until it has a primary: `replica_set.py HOST:PORT …`.

A replica set that exists already stays as it is. A password is not taken: where MongoDB has users, whoever runs it
makes its replica set.
"""

import sys
import time
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SET: Final = "rs0"
WITHIN_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.25
_NOT_INITIATED: Final = 94


class NoPrimary(Exception):
    """The replica set has no primary in time."""


def configuration(members: list[str]) -> dict[str, Any]:
    """Return the configuration of a replica set whose first member is its primary, as long as it is there."""
    described = [
        {"_id": number, "host": host, "priority": 2 if number == 0 else 1} for number, host in enumerate(members)
    ]
    # elections in some seconds: by default a secondary waits for 10 s until it takes the primary for dead
    return {"_id": SET, "members": described, "settings": {"electionTimeoutMillis": 5_000}}


def has_primary(members: list[str]) -> bool:
    """Return whether there is a primary; make the replica set where there is none yet."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        members[0], directConnection=True, serverSelectionTimeoutMS=1_000, socketTimeoutMS=20_000
    )
    with client:
        try:
            client.admin.command("replSetGetConfig")
        except OperationFailure as error:
            if error.code != _NOT_INITIATED:
                raise
            client.admin.command("replSetInitiate", configuration(members))
        hello = client.admin.command("hello")
        return bool(hello.get("isWritablePrimary") or hello.get("primary"))


def wait(members: list[str], within_s: float = WITHIN_S) -> None:
    """Return once there is a primary. Raises `NoPrimary` after `within_s` seconds."""
    ends, last = time.monotonic() + within_s, "no member is primary"
    while time.monotonic() < ends:
        try:
            if has_primary(members):
                return
        except PyMongoError as error:
            last = str(error)
        time.sleep(_LOOK_EVERY_S)
    raise NoPrimary(f"{', '.join(members)} have no primary after {within_s:g} s: {last}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("name the members: replica_set.py HOST:PORT …")
    try:
        wait(sys.argv[1:])
    except NoPrimary as error:
        sys.exit(str(error))
