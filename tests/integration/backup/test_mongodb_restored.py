"""MongoDB goes back to a backup under load, while Kafka and all processes run on: nothing accepted is missing."""

import asyncio
import itertools
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from clarion.contracts.ids import new_id
from clarion.operating.ledger.audit import audited
from clarion.operating.ledger.judging.states import Home
from clarion.operating.ledger.report import Report, Span
from clarion.settings import Settings
from clarion.store import notifications, scheduled
from clarion.store.dead_letters import letters
from clarion.store.driver.database import Database, Document
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.backup.devices import Device
from tests.integration.backup.servers import back_up_mongodb, restore_mongodb
from tests.integration.backup.traffic import Traffic

USERS, OTHERS = 6, 2
BEFORE_S, SINCE_S, AFTER_S = 4.0, 8.0, 4.0
SETTLED_S, HANDED_S = 60.0, 20.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_a_restored_mongodb_gets_all_from_kafka_again(
    stack: Stack, live: Settings, stored: Database, tmp_path: Path
) -> None:
    users, others = ([f"restored-{n}-{new_id()}" for n in range(count)] for count in (USERS, OTHERS))
    # there all the time; away since before the backup; there only after it; away until the store is being filled again
    always, older, newer, back = ([Device(live, user) for user in users] for _ in range(4))
    only = [Device(live, user) for user in others]  # come after the backup, so the backup knows of no session of theirs
    traffic = Traffic(live, [*users, *others], lambda id_: any(id_ in device.ids for device in always))
    async with AsyncExitStack() as ending:
        for device in always:
            await ending.enter_async_context(device.online())
        async with traffic.flowing():
            async with AsyncExitStack() as early:
                for device in (*older, *back):
                    await early.enter_async_context(device.online())
                await asyncio.sleep(BEFORE_S)
            await back_up_mongodb(stack, tmp_path / "backup")
            at_backup = set(traffic.accepted)
            for device in only:
                await ending.enter_async_context(device.online())
            async with AsyncExitStack() as late:
                for device in newer:
                    await late.enter_async_context(device.online())
                await asyncio.sleep(SINCE_S)
            since = set(traffic.accepted) - at_backup
            await restore_mongodb(stack, tmp_path / "backup")
            for device in back:
                await ending.enter_async_context(device.online())
            await asyncio.sleep(AFTER_S)
        report = await _settled(live, stored, traffic)
        for device in (*older, *newer):
            await ending.enter_async_context(device.online())
        shown = set(traffic.accepted) - traffic.retracted - traffic.archived - traffic.unsure
        await _until_all_have(traffic, shown, [*always, *older, *back, *only])
        await _until_all_have(traffic, shown - at_backup, newer)  # to a fresh device nobody owes what others have read
    assert len(at_backup) > 50
    assert len(since) > 50
    _account(traffic, await _documents(stored, traffic))
    assert report.balance.missing == 0
    assert report.is_clean, dict(report.faults)
    assert await _letters(stored, users[0]) == traffic.bad
    for device in (*always, *older, *newer, *back, *only):
        assert not device.out_of_order()
        assert not device.twice()


async def _until_all_have(traffic: Traffic, shown: set[str], devices: list[Device]) -> None:
    """Until each device has been handed all of its user's; when that does not come, this says what is missing."""

    def missing() -> dict[str, set[str]]:
        owed = {d: {id_ for id_ in shown if traffic.accepted[id_] == d.user} - d.ids for d in devices}
        return {device.user: ids for device, ids in owed.items() if ids}

    with suppress(TimeoutError):
        await until(lambda: not missing(), HANDED_S)
    assert missing() == {}


def _account(traffic: Traffic, found: dict[str, Document]) -> None:
    """Everything accepted is stored once, for its recipient, as its sender and its user have left it."""
    assert {id_: one["recipient"] for id_, one in found.items()} == traffic.accepted
    assert {id_ for id_ in traffic.retracted if found[id_]["state"] != "retracted"} == set()
    assert {id_ for id_ in traffic.read if found[id_]["unread"]} == set()
    assert {id_ for id_ in traffic.archived if not found[id_].get("archived")} == set()
    assert min(map(len, (traffic.scheduled, traffic.retracted, traffic.read, traffic.archived))) > 5


async def _settled(live: Settings, stored: Database, traffic: Traffic) -> Report:
    """Wait until an audit finds everything in its last state, and return what it says."""
    report = None

    async def is_settled() -> bool:
        nonlocal report
        async with audited(live, stored, Span(traffic.began), _ignore, settle_s=0.5) as report:
            homes = report.balance.homes
        waiting = await scheduled.collection(stored).count_documents({"state": "waiting"})
        return report.is_clean and not homes[Home.IN_KAFKA] and not waiting and await _is_marked(stored, traffic)

    with suppress(TimeoutError):  # what is wrong is said by the asserts
        await until(is_settled, SETTLED_S)
    assert report is not None
    return report


def _ignore(what: str, done: int, of: int) -> None:
    pass


async def _is_marked(stored: Database, traffic: Traffic) -> bool:
    found = await _documents(stored, traffic)
    return (
        all(found[id_]["state"] == "retracted" for id_ in traffic.retracted)
        and not any(found[id_]["unread"] for id_ in traffic.read)
        and all(found[id_].get("archived") for id_ in traffic.archived)
    )


async def _documents(stored: Database, traffic: Traffic) -> dict[str, Document]:
    query = {"recipient": {"$in": traffic.users}}
    return {one["_id"]: one async for one in notifications.collection(stored).find(query)}


async def _letters(stored: Database, user: str) -> int:
    """How many dead letters there are of a user's records: each record has one."""
    found = letters.collection(stored).find({}, ["value"])
    ours = itertools.count()
    async for letter in found:
        if user.encode() in letter["value"]:
            next(ours)
    return next(ours)
