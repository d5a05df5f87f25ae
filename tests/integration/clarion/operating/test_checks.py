"""Single checks of `clarion doctor`, on topics and a database of the test's own, where no service runs."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete
from msgspec.structs import replace

from clarion.broker import log_dirs
from clarion.broker.group_offsets import asking
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.topics import Names
from clarion.operating.doctor import lanes
from clarion.operating.doctor.check import Outcome, Result
from clarion.operating.doctor.examination import CHECKS, made
from clarion.operating.doctor.system import System, opened
from clarion.settings import Settings
from clarion.store import indexes, mailboxes, notifications, scheduled, sessions
from clarion.store.driver.database import Database
from clarion.store.queries import server
from tests.integration.stream.scheduler.holding import bare, produce

LONG_AGO = timedelta(hours=1)


@pytest.fixture
async def system(settings: Settings) -> AsyncGenerator[System]:
    """Without the processes of the running stack, which have other topics and another database."""
    async with opened(replace(settings, processes=""), {}) as system:
        yield system


async def outcome(system: System, name: str) -> Outcome:
    (check,) = [check for check in CHECKS if check.name == name]
    return (await made(check, system)).outcome


async def test_indexes_are_compared_with_their_declaration(own: Database) -> None:
    assert len(await indexes.differences(own)) == sum(len(models) for _, models in indexes.declared(own))
    await indexes.ensure(own)
    assert await indexes.differences(own) == []
    held, stored = scheduled.collection(own), notifications.collection(own)
    await held.drop_index("due")
    await held.create_index([("due", 1)], name="due")
    await own.command({"collMod": stored.name, "index": {"name": "purge", "expireAfterSeconds": 60}})
    await own.command({"collMod": stored.name, "index": {"name": "inbox", "hidden": True}})
    assert await indexes.differences(own) == [
        "notifications.inbox is hidden, so that no query uses it",
        "notifications.purge is not as declared",
        "scheduled.due is not as declared",
    ]


async def test_what_mongodb_has_still_to_purge_is_a_warning(own: Database, system: System) -> None:
    assert (await outcome(system, "clean-up")).result is Result.OK
    await notifications.collection(own).insert_one({"_id": new_id(), "purge_at": times.now() - LONG_AGO})
    found = await outcome(system, "clean-up")
    assert (found.result, "notifications has documents" in found.evidence) == (Result.WARNING, True)


async def test_what_has_expired_and_is_in_an_inbox_fails(own: Database, system: System) -> None:
    assert (await outcome(system, "expiry")).result is Result.OK
    expired = {"_id": new_id(), "recipient": "u", "unread": True, "expires_at": times.now() - LONG_AGO}
    await notifications.collection(own).insert_one(expired)
    found = await outcome(system, "expiry")
    assert (found.result, "scheduler" in found.cure) == (Result.FAILED, True)


async def test_what_is_due_and_held_fails(own: Database, system: System) -> None:
    assert (await outcome(system, "releases")).result is Result.OK
    held = {"partition": 1, "state": "waiting", "due": times.now() - LONG_AGO}
    await scheduled.collection(own).insert_many([{"_id": new_id(), **held} for _ in range(3)])
    found = await outcome(system, "releases")
    assert (found.result, found.evidence.startswith("3 scheduled")) == (Result.FAILED, True)


async def test_sessions_of_earlier_owners_are_counted(own: Database, system: System) -> None:
    leases, stored = mailboxes.collection(own), sessions.collection(own)
    assert (await outcome(system, "sessions")).result is Result.OK
    assert (await outcome(system, "mailboxes")).result is Result.FAILED  # no gateway holds one
    for number in range(8):
        lease = await mailboxes.create(leases, number, "a")
        assert lease is not None
        await mailboxes.take(leases, lease, "b")
    assert (await outcome(system, "mailboxes")).result is Result.WARNING  # none is free
    await sessions.write(stored, [sessions.present("ann", 1, 2, 1), sessions.present("bob", 1, 1, 1)])
    assert (await outcome(system, "sessions")).evidence.startswith("1 sessions")
    current = (await mailboxes.find_all(leases))[1]
    await mailboxes.release(leases, current)
    assert (await outcome(system, "sessions")).evidence.startswith("2 sessions")


async def test_lanes_that_nobody_reads_are_named(system: System) -> None:
    found = await outcome(system, "workers")
    assert found.result is Result.FAILED
    for lane in Lane:
        assert f"nobody reads the lane {lane}:" in found.evidence
    assert "the role receipts" in found.evidence


async def test_lag_is_in_records_and_in_seconds(
    settings: Settings, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(settings.prefix)
    assert (await outcome(system, "lag")).evidence == (
        "records still to read: urgent 0, high 0, normal 0, low 0, receipts 0, scheduler 0"
    )
    await produce(settings, names.notifications(Lane.HIGH), *({"value": bare("u"), "partition": 1} for _ in range(5)))
    found = await outcome(system, "lag")
    assert (found.result, "high 5" in found.evidence) == (Result.OK, True)
    monkeypatch.setitem(lanes._WAITS_S, "high", 0.0)
    found = await outcome(system, "lag")
    assert (found.result, "the oldest of 5 records that high" in found.evidence) == (Result.FAILED, True)
    await commit(settings, names.group("high"), TopicPartition(names.notifications(Lane.HIGH), 1), 5)
    assert "high 0" in (await outcome(system, "lag")).evidence


async def test_records_that_retention_took_unread_are_lost(settings: Settings, system: System) -> None:
    names = Names(settings.prefix)
    topic = names.notifications(Lane.LOW)
    await produce(settings, topic, *({"value": bare("u"), "partition": 0} for _ in range(5)))
    await commit(settings, names.group("low"), TopicPartition(topic, 0), 1)
    async with asking(settings) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=4)})
    found = await outcome(system, "lag")
    assert found.result is Result.FAILED
    assert f"3 records of {topic} were removed by retention" in found.evidence


async def commit(settings: Settings, group: str, partition: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: offset})
    finally:
        await consumer.stop()


async def test_dead_letters_of_the_last_hour_are_a_warning(settings: Settings, system: System) -> None:
    assert (await outcome(system, "dead-letters")).result is Result.OK
    now = times.now()
    letter = DeadLetter(b"x", None, Reason.UNDECODABLE, "no JSON", "t", 0, 1, 1, now, now)
    await produce(
        settings, Names(settings.prefix).dead_letters, {"value": letter.payload(), "headers": letter.headers()}
    )
    found = await outcome(system, "dead-letters")
    assert (found.result, found.evidence) == (Result.WARNING, "dead letters: 1 in the last hour, 1 on the topic")


async def test_a_brokers_clock_is_compared_by_its_last_records(settings: Settings, system: System) -> None:
    assert (await outcome(system, "broker-clock")).result is Result.SKIPPED
    topic = Names(settings.prefix).notifications(Lane.HIGH)
    await produce(settings, topic, {"value": bare("u", created_at=times.now())})
    assert (await outcome(system, "broker-clock")).result is Result.OK
    ahead = times.now() + timedelta(seconds=20)
    await produce(settings, topic, *({"value": bare("u", created_at=ahead), "partition": n} for n in range(4)))
    found = await outcome(system, "broker-clock")
    assert (found.result, "behind this machine's" in found.evidence) == (Result.WARNING, True)


async def test_disks_of_both_servers_are_told(settings: Settings, system: System, own: Database) -> None:
    async with asking(settings) as admin:
        (folder,) = await log_dirs.describe(admin, [1])
    assert folder.total is not None
    assert folder.usable is not None
    assert 0 < folder.usable <= folder.total
    await notifications.collection(own).insert_one({"_id": new_id()})  # of a database that is empty it tells nothing
    disk = await server.disk(own)
    assert 0 < disk.used < disk.total
    for name in ("broker-disks", "database-disk"):
        assert "of" in (await outcome(system, name)).evidence


async def test_the_replica_set_and_its_majority_are_told(system: System) -> None:
    assert (await outcome(system, "replica-set")).evidence.endswith("and 1 of 1 are up")
    assert (await outcome(system, "write-concern")).evidence == "1 members acknowledge writes, and a majority is 1"


async def test_an_operation_that_runs_long_is_a_warning(settings: Settings, system: System, own: Database) -> None:
    await notifications.collection(own).insert_one({"_id": new_id()})
    slow = asyncio.ensure_future(notifications.collection(own).find_one({"$where": "sleep(4000) || true"}))
    await asyncio.sleep(2.5)
    found = await outcome(system, "queries")
    assert (found.result, "find on notifications takes" in found.evidence) == (Result.WARNING, True)
    await slow
    assert (await outcome(system, "queries")).result is Result.OK


async def test_clocks_of_one_machine_agree(system: System) -> None:
    assert (await outcome(system, "database-clock")).result is Result.OK


async def test_a_system_that_is_not_there_is_told_by_two_checks(settings: Settings) -> None:
    nowhere = {"kafka": "127.0.0.1:1", "mongodb": "mongodb://127.0.0.1:1/?replicaSet=rs0", "processes": ""}
    gone = replace(settings, **nowhere)
    async with opened(gone, {}) as system:
        found = {check.name: (await made(check, system)).outcome for check in CHECKS if check.name != "notification"}
    failed = {name for name, one in found.items() if one.result is Result.FAILED}
    assert failed == {"broker", "replica-set", "ports"}
    assert "127.0.0.1:1" in found["replica-set"].evidence
