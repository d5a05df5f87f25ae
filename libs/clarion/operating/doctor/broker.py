"""Checks of Kafka: whether it answers, its topics as declared, its replicas in sync, and its disks."""

import asyncio
from typing import Any, Final

from clarion.broker import clients, log_dirs, topics
from clarion.operating.doctor.check import Outcome, Skip, failed, judged
from clarion.operating.doctor.system import System
from clarion.store import topics as stored_topics

DISK_WARNING: Final = 0.15  # free, of the whole
DISK_FAILED: Final = 0.05
_LISTED_MOST: Final = 5


async def broker(system: System) -> Outcome:
    """Check that Kafka answers, and has as many brokers as each topic has replicas."""
    settings = system.settings
    try:
        admin = await asyncio.shield(system.kafka_asked)
    except clients.SEND_ERRORS as error:
        return failed(
            f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error or type(error).__name__}",
            "start the brokers, or mend CLARION_KAFKA; a full disk ends a broker, and its own log says so",
        )
    brokers: list[dict[str, Any]] = (await admin.describe_cluster())["brokers"]
    few = f"Kafka has {len(brokers)} brokers, but CLARION_REPLICATION is {settings.replication}"
    return judged(
        [few] if len(brokers) < settings.replication else [],
        [],
        f"{len(brokers)} of the brokers of {settings.kafka} answer",
        "start the missing brokers, or set CLARION_REPLICATION to how many there are",
    )


async def topics_as_declared(system: System) -> Outcome:
    """Check partitions, replicas, retention, compression and min.insync.replicas of each topic."""
    await system.kafka()
    differences, grown = await topics.check(system.settings)
    not_placed: list[str] = []
    if grown:
        collection = stored_topics.collection(await system.database())
        placings = await stored_topics.placings(collection, grown)
        not_placed = [
            f"{name} has {grown[name]} partitions, but recipients are placed by {placing.partitions} of them still"
            for name, placing in placings.items()
            if placing.partitions < grown[name]
        ]
    return judged(
        differences,
        not_placed,
        f"{len(topics.declared(system.settings))} topics are as declared",
        "do what each line says; `clarion topics check` shows the same list. New partitions come into use by "
        "themselves once older records are done",
    )


async def replicas(system: System) -> Outcome:
    """Check that each partition has a leader, and its replicas are in sync."""
    admin, declared = await system.kafka(), topics.declared(system.settings)
    least = {topic.name: int(topic.config["min.insync.replicas"]) for topic in declared}
    lost: list[str] = []
    refused: list[str] = []
    behind: list[str] = []
    for described in await topics.describe(admin, [topic.name for topic in declared]):
        for partition in described["partitions"]:
            name, in_sync = f"{described['topic']}/{partition['partition']}", len(partition["isr"])
            if partition["leader"] < 0:
                lost.append(name)
            elif in_sync < least[described["topic"]]:
                refused.append(name)
            elif in_sync < len(partition["replicas"]):
                behind.append(name)
    failures = [
        *([f"no leader, so nothing is read or written: {_listed(lost)}"] if lost else []),
        *([f"fewer in sync than min.insync.replicas, so nothing is taken: {_listed(refused)}"] if refused else []),
    ]
    warnings = [f"a replica is behind or away: {_listed(behind)}"] if behind else []
    cure = "start the brokers that are away; a replica that stays behind has a slow disk or network"
    return judged(failures, warnings, "every partition has its leader, and all replicas are in sync", cure)


async def broker_disks(system: System) -> Outcome:
    """Check how much room the brokers' disks have."""
    admin = await system.kafka()
    brokers = [one["node_id"] for one in (await admin.describe_cluster())["brokers"]]
    try:
        found = await log_dirs.describe(admin, brokers)
    except NotImplementedError as error:
        raise Skip("a broker is older than Kafka 3.3, and does not tell how full its disk is") from error
    known = {f"broker {one.broker}, {one.path}": (one.usable, one.total) for one in found}
    return room({name: (usable, total) for name, (usable, total) in known.items() if usable is not None and total})


def room(disks: dict[str, tuple[int, int]]) -> Outcome:
    """Return the outcome for disks, by name, of which so many bytes are free of a total. Raises `Skip` for none."""
    if not disks:
        raise Skip("the server does not tell how full its disk is")
    told = {
        name: f"{name}: {free / total:.0%} of {total / 2**30:,.1f} GiB are free"
        for name, (free, total) in disks.items()
    }
    ratios = {name: free / total for name, (free, total) in disks.items()}
    return judged(
        [told[name] for name, ratio in ratios.items() if ratio < DISK_FAILED],
        [told[name] for name, ratio in ratios.items() if DISK_FAILED <= ratio < DISK_WARNING],
        "; ".join(told.values()),
        "make room, or give the disk more: a full one ends the server, and nothing is accepted until there is room",
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED_MOST
    return ", ".join(names[:_LISTED_MOST]) + (f" and {more} more" if more > 0 else "")
