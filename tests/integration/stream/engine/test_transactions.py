"""Records of transactions, on a real broker: what its producer took back reaches nobody, and lag returns to 0."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from confluent_kafka import Producer

from clarion.broker import group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Control, Delivery
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from tests.conftest import until
from tests.integration.stream.engine.lane_processes import (
    USER,
    WITHIN_S,
    lane_process,
    mailbox_of,
    notifications_of,
    produce,
)
from tests.subprocesses import free_port, health_of


class Transaction:
    """One that librdkafka has begun."""

    def __init__(self, settings: Settings, partition: Partition, values: list[bytes]) -> None:
        self.producer = Producer(
            {"bootstrap.servers": settings.kafka, "transactional.id": new_id(), "transaction.timeout.ms": 60_000}
        )
        self.producer.init_transactions(30)
        self.producer.begin_transaction()
        for value in values:
            self.producer.produce(partition.topic, value, key=USER.encode(), partition=partition.number)
        assert self.producer.flush(30) == 0

    def end(self, *, commit: bool) -> None:
        if commit:
            self.producer.commit_transaction(30)
        else:
            self.producer.abort_transaction(30)


@pytest.mark.slow
async def test_only_what_is_committed_is_delivered_and_lag_ends(settings: Settings) -> None:
    names = Names(settings.prefix)
    topic = names.notifications(Lane.NORMAL)
    partition = Partition(topic, partition_of(USER, settings.partitions_lane))
    other = Partition(topic, (partition.number + 1) % settings.partitions_lane)
    connection = database.connect(settings)
    documents = notifications.collection(connection)
    port = free_port()

    async def begin(*messages: str, where: Partition = partition) -> Transaction:
        return await asyncio.to_thread(Transaction, settings, where, notifications_of(messages))

    async def end(transaction: Transaction, *, commit: bool) -> None:
        await asyncio.to_thread(transaction.end, commit=commit)

    async def stored() -> list[str]:
        found = await documents.find({}).sort("ord", 1).to_list(None)
        return [json.loads(one["body"])["message"] for one in found]

    async def lag() -> int:
        """As tools outside tell it."""
        async with group_offsets.asking(settings) as admin:
            done = await group_offsets.committed(admin, [names.group("normal")])
        ends = await group_offsets.ends(settings, [partition, other])
        return sum(end - (done[one].offset if one in done else 0) for one, end in ends.items())

    await end(await begin("aborted before anything", where=other), commit=False)
    await end(await begin("committed"), commit=True)
    await end(await begin("aborted"), commit=False)
    async with lane_process(settings, port):
        await until(lambda: _is_so(stored, ["committed"]), WITHIN_S)
        await until(lambda: _is_so(lag, 0))
        left_open = await begin("open")
        await asyncio.to_thread(produce, settings, *partition, notifications_of(["behind it"]))

        async def is_named() -> bool:
            told = await health_of(port)
            return told["status"] == "degraded" and f"{topic} partition {partition.number} waits" in str(told)

        await until(is_named)
        assert await stored() == ["committed"]
        await end(left_open, commit=False)
        await until(lambda: _is_so(stored, ["committed", "behind it"]))
        await until(lambda: _is_so(lag, 0))

        async def is_well() -> bool:
            return (await health_of(port))["status"] == "ok"

        await until(is_well)
    database.close(connection)


async def test_a_mailbox_takes_what_is_committed_and_passes_markers(settings: Settings) -> None:
    partition = Partition(Names(settings.prefix).deliveries_bulk, 0)
    handled: list[Delivery] = []
    values = [deliveries.encode(Control("disconnect", name)) for name in ("aborted", "committed")]
    async with mailbox_of(settings, handled, []) as mailbox:
        for value, commit in zip(values, (False, True), strict=True):
            transaction = await asyncio.to_thread(Transaction, settings, partition, [value])
            await asyncio.to_thread(transaction.end, commit=commit)

        async def is_caught_up() -> bool:
            before = mailbox.caught_up()
            await asyncio.sleep(2.5)
            after = mailbox.caught_up()
            return before is not None and after is not None and after > before and bool(handled)

        await until(is_caught_up)
        assert handled == [Control("disconnect", "committed")]
        assert mailbox.waiting() == ""


async def _is_so(found: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await found() == wanted
