"""All that Kafka has is lost, and MongoDB keeps its own: what is stored stays, and what was only in Kafka is named."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import pytest

from clarion.broker import topics
from clarion.client import HttpPublisher, Publisher
from clarion.contracts import order, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names
from clarion.operating.ledger.audit import audited
from clarion.operating.ledger.judging.states import Home
from clarion.operating.ledger.report import Report, Span
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.topics import collection as known_topics
from deploy.local.stack import Plan, Stack
from tests.conftest import until
from tests.integration.backup.devices import Device
from tests.integration.backup.servers import lose_kafka, start_services, stop_services
from tests.temporary_stacks import temporary_stack

DUE: Final = timedelta(seconds=40)  # later than all is up again
HANDED_S: Final = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
async def lossy() -> AsyncGenerator[Stack]:
    """A stack of the module's own: in that of all tests, topics stay as they were made."""
    async with temporary_stack(Plan(any_ports=True)) as stack:
        yield stack


async def test_what_is_stored_outlives_kafka_and_all_goes_on(lossy: Stack) -> None:
    live = Settings.from_env(lossy.env)
    user = f"outlives-{new_id()}"
    always, older = Device(live, user), Device(live, user)
    stored = database.connect(live)
    async with AsyncExitStack() as ending:
        ending.callback(database.close, stored)
        token = mint(live, sub="tests", scope=PUBLISH)
        publisher = await ending.enter_async_context(Publisher.http(live.ingest_url, token=token))
        await ending.enter_async_context(always.online())
        async with older.online():
            had = await _publish(publisher, user, LANES)
            await until(lambda: had <= always.ids and had <= older.ids, HANDED_S)
        later = await publisher.publish(recipient=user, type="t", message="later", deliver_at=times.now() + DUE)
        missed = await _publish(publisher, user, LANES)
        await until(lambda: missed <= always.ids, HANDED_S)
        await lossy.stop_child("low")
        lost = await _publish(publisher, user, [Lane.LOW])
        await until(lambda: _is_held(stored, later))
        before = await _audit(live, stored)
        assert before.balance.homes[Home.IN_KAFKA] == len(lost)
        generations = await _generations(live, stored)

        await stop_services(lossy)
        await lose_kafka(lossy)
        assert set(await topics.apply(live)) >= {Names(live.prefix).notifications(lane) for lane in LANES}
        await start_services(lossy)

        new = await _publish(publisher, user, LANES)
        await ending.enter_async_context(older.online())
        wanted = {*had, *missed, *new, later}
        for device in (always, older):
            await until(lambda device=device: wanted <= device.ids, HANDED_S)
            assert device.ids == wanted
            assert not device.twice()
            assert not device.out_of_order()
        found = {d["_id"]: d async for d in notifications.collection(stored).find({"recipient": user})}
        assert found.keys() == wanted
        assert {order.unpack(found[id_]["ord"])[0] for id_ in had | missed} == {0}
        assert {order.unpack(found[id_]["ord"])[0] for id_ in new} == {1}
        assert await _generations(live, stored) == {topic: one + 1 for topic, one in generations.items()}
        for id_ in lost:
            assert await publisher.status(id_) is None, "its sender is told that there is no such notification"
        after = await _audit(live, stored)
        assert after.is_clean, dict(after.faults)
        assert after.balance.missing == 0


async def _publish(publisher: HttpPublisher, user: str, lanes: list[Lane] | tuple[Lane, ...]) -> set[str]:
    """Five in each lane."""
    sending = [
        publisher.publish(recipient=user, type="t", message=f"{lane} {n}", priority=lane)
        for lane in lanes
        for n in range(5)
    ]
    return set(await asyncio.gather(*sending))


async def _is_held(stored: Database, id_: str) -> bool:
    return await stored["scheduled"].count_documents({"_id": id_, "state": "waiting"}) == 1


async def _generations(live: Settings, stored: Database) -> dict[str, int]:
    names = Names(live.prefix)
    wanted = [*(names.notifications(lane) for lane in LANES), names.scheduled, names.receipts]
    found = known_topics(stored).find({"_id": {"$in": wanted}})
    return {document["_id"]: document["generation"] async for document in found}


async def _audit(live: Settings, stored: Database) -> Report:
    def ignore(what: str, done: int, of: int) -> None:
        pass

    async with audited(live, stored, Span(), ignore, settle_s=2.0) as report:
        return report
