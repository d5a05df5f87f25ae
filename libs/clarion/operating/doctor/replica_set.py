"""Checks of MongoDB: whether it answers and has a primary, what a majority is, its indexes, and its disk."""

import asyncio

from clarion.operating.doctor.broker import room
from clarion.operating.doctor.check import Outcome, failed, judged
from clarion.operating.doctor.system import System
from clarion.store import indexes
from clarion.store.queries import server
from clarion.store.queries.server import Member, NotPermitted
from clarion.telemetry.health import Unanswered


async def replica_set(system: System) -> Outcome:
    """Check that MongoDB answers, is a replica set, and that its members are up."""
    where = ", ".join(f"{host}:{port}" for host, port in server.addresses(system.settings)) or "its mongodb+srv address"
    cure = "start mongod, or mend CLARION_MONGODB; a full disk ends mongod, and its own log says so"
    try:
        database = await asyncio.shield(system.database_asked)
    except Unanswered as error:
        return failed(f"MongoDB at {where} (CLARION_MONGODB) does not answer: {error}", cure)
    said = await server.hello(database)
    if not said.set_name:
        return failed(
            f"MongoDB at {where} is no replica set, so that no write is retried or needs a majority",
            "start mongod with --replSet, call rs.initiate(), and put ?replicaSet=… into CLARION_MONGODB",
        )
    try:
        members = (await server.replication(database)).members
    except NotPermitted:
        return judged([], [], f"{said.set_name} has the primary {said.primary}; its members are not told", "")
    away = [f"{one.host} is {one.state}" for one in members if not one.is_healthy]
    evidence = (
        f"{said.set_name} has the primary {said.primary}, and {len(members) - len(away)} of {len(members)} are up"
    )
    return judged([], away, evidence, "start the members that are away")


async def write_concern(system: System) -> Outcome:
    """Check that a majority can acknowledge writes, and with the members that are up, another one may go away."""
    found = await server.replication(await system.database())
    voters = [one for one in found.members if one.votes]
    needed = len(voters) // 2 + 1
    writable = [one for one in voters if one.has_data and one.is_healthy]
    failures: list[str] = []
    if len(writable) < needed:
        failures.append(f"{len(writable)} members can acknowledge a write, but a majority is {needed}")
    warnings: list[str] = []
    if not found.is_majority_journaled:
        warnings.append("writeConcernMajorityJournalDefault is off, so that an acknowledged write may be lost")
    if len(voters) > 1 and len(writable) == needed:
        warnings.append(f"no further member may go away: {_said(found.members)}")
    return judged(
        failures,
        warnings,
        f"{len(writable)} members acknowledge writes, and a majority is {needed}",
        "start the members that are away; a majority needs members with data, so let no arbiter stand in for one",
    )


def _said(members: tuple[Member, ...]) -> str:
    return ", ".join(f"{one.host} {one.state}" for one in members)


async def all_indexes(system: System) -> Outcome:
    """Check that every index is there, as declared."""
    database = await system.database()
    return judged(
        await indexes.differences(database),
        [],
        f"{sum(len(models) for _, models in indexes.declared(database))} indexes are as declared",
        "restart one process: each makes missing indexes when it starts. Drop one that is not as declared before that",
    )


async def database_disk(system: System) -> Outcome:
    """Check how much room the disk of the primary has."""
    disk = await server.disk(await system.database())
    return room({"the primary": (disk.total - disk.used, disk.total)} if disk.total else {})
