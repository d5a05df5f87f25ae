"""The observer beside the running system: it starts without servers, says which look fails, and comes back."""

import asyncio
from typing import Final

import msgspec
import pytest

from clarion.broker.lag.broker_clocks import clock_skews
from clarion.broker.lag.group_lags import GroupLags
from clarion.contracts import times
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import mailboxes
from clarion.store.driver import server_state
from clarion.store.driver.database import Database
from clarion.telemetry.metrics.labels import LOOK
from deploy.local.stack import Stack
from services.stream.observer.lag import topics_of
from tests.conftest import until
from tests.integration.stream.engine.lane_processes import notifications_of, produce
from tests.integration.stream.observer.watched import WITHIN_S, Observer, observing
from tests.subprocesses import health_of

ROLES: Final = {"urgent", "high", "normal", "low", "receipts", "dead-letters", "scheduler"}
LANES: Final = {"urgent", "high", "normal", "low"}


@pytest.fixture
def observer(stack: Stack) -> Observer:
    """The one of the stack."""
    return Observer(stack.ports["observer-admin"])


@pytest.mark.timeout(200)
async def test_the_stacks_observer_exports_all_that_it_looks_at(observer: Observer) -> None:
    labels: dict[str, set[str]] = {
        "clarion_lag_records": ROLES,
        "clarion_pending": LANES,
        "clarion_oldest_pending_seconds": LANES,
        "clarion_dead_letters": {str(reason) for reason in Reason},
    }
    missing: set[str] = set()

    async def is_complete() -> bool:
        missing.clear()
        missing.update([name for name, expected in labels.items() if set(await observer.values(name)) != expected])
        if not await observer.values("clarion_clock_skew_seconds"):
            missing.add("clarion_clock_skew_seconds")
        single = ("clarion_mailboxes_free", "clarion_store_free_ratio", "clarion_unaccounted")
        missing.update([name for name in single if await observer.value(name) is None])
        return not missing

    try:  # the ledger is looked at every 30 s, and a look may fail on a busy machine
        await until(is_complete, 2.5 * WITHIN_S)
    except TimeoutError:
        pytest.fail(f"missing: {missing}; {await health_of(observer.admin_port)}")
    assert 0 < (await observer.value("clarion_store_free_ratio") or 0) < 1
    assert all(abs(skew) < 1 for skew in (await observer.values("clarion_clock_skew_seconds")).values())

    async def are_steady() -> bool:  # a test before this may have stopped one, which is told until it stayed up
        servers = (await health_of(observer.admin_port))["dependencies"]
        assert servers.keys() == {"kafka", "mongodb"}
        return all(server["state"] == "is up" for server in servers.values())

    await until(are_steady, WITHIN_S)
    assert await observer.status() == "ok", str(await health_of(observer.admin_port))


async def test_each_gateway_of_the_stack_takes_a_mailbox(observer: Observer, live: Settings) -> None:
    async def are_taken() -> bool:
        return await observer.value("clarion_mailboxes_free") == live.partitions_deliveries - 2

    await until(are_taken, WITHIN_S)


@pytest.mark.slow
async def test_an_observer_without_servers_says_so_and_exports_nothing(settings: Settings) -> None:
    nowhere = msgspec.structs.replace(
        settings, kafka="127.0.0.1:1", mongodb="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500"
    )
    async with observing(nowhere) as observer:

        async def has_failed() -> bool:
            failed = await observer.values("clarion_looks_failed_total")
            return all(failed.get(look, 0) > 0 for look in LOOK.values)

        await until(has_failed, WITHIN_S)
        told = await health_of(observer.admin_port)
        assert told["status"] == "degraded"
        reasons = str(told["reasons"])
        assert "kafka is down" in reasons
        assert "mongodb is down" in reasons
        assert "the look at lag fails" in reasons
        assert await observer.values("clarion_lag_records") == {}
        assert await observer.value("clarion_mailboxes_free") is None


@pytest.mark.slow
async def test_a_mailbox_of_a_dead_gateway_is_free_after_a_while(own: Database, settings: Settings) -> None:
    leases = mailboxes.collection(own)
    await mailboxes.create(leases, 0, "dead")
    taken = await mailboxes.create(leases, 1, "gone")
    assert taken is not None
    await mailboxes.release(leases, taken)
    async with observing(settings) as observer:

        async def are_free(expected: int) -> bool:
            return await observer.value("clarion_mailboxes_free") == expected

        await until(lambda: are_free(settings.partitions_deliveries - 1), WITHIN_S)
        await until(lambda: are_free(settings.partitions_deliveries), WITHIN_S)


async def test_the_primary_tells_its_clock_and_its_disk(stored: Database, live: Settings) -> None:
    clock = await server_state.clock_of_primary(stored)
    assert clock.address in live.mongodb
    assert abs((times.now() - clock.now).total_seconds()) < 5
    assert 0 < await server_state.free_ratio(stored) < 1


async def test_a_broker_that_takes_records_tells_its_clock(settings: Settings) -> None:
    names, lags = Names(settings.prefix), GroupLags(settings)
    try:
        assert await clock_skews(lags, topics_of(names)) == {}, "nobody sends, so nobody knows"
        asking = asyncio.create_task(clock_skews(lags, topics_of(names)))
        while not asking.done():
            await asyncio.to_thread(produce, settings, names.scheduled, 0, notifications_of(["now"]))
        assert asking.result() == {settings.kafka: 0.0}
    finally:
        await lags.close()
