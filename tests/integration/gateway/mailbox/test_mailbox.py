"""A gateway's mailbox on a real Kafka and a real MongoDB: what is known of it, whose it is, what goes first."""

import asyncio
import os
import select
import signal
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.records.deliveries import Control, Delivery, encode
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import mailboxes
from clarion.store.driver import database
from deploy.local.stack import Stack
from services.gateway.mailbox import lease
from services.gateway.mailbox.lease import LeaseLost
from services.gateway.mailbox.reader import MailboxReader
from tests.conftest import until

_PIECES: Final = 20  # of a record


@pytest.mark.slow
async def test_without_kafka_no_mailbox_counts_as_read_to_its_end(stack: Stack, settings: Settings) -> None:
    """`since` would move past what is emitted meanwhile, and a client that takes it along would never see that."""
    mailbox = MailboxReader(mailboxes.Lease(0, "me", 1, 0), Names(settings.prefix), lambda _: (), lambda: None)
    async with clients.producer(settings) as producer, mailbox.positioned(settings, producer) as consumers:
        assert mailbox.caught_up() is None
        reading = [asyncio.create_task(mailbox.read(consumer)) for consumer in consumers]

        async def moves_on() -> bool:
            before = mailbox.caught_up()
            await asyncio.sleep(1.5)
            after = mailbox.caught_up()
            return before is not None and after is not None and after > before

        await until(moves_on)
        stack.kill("kafka", signal.SIGSTOP)
        try:
            await asyncio.sleep(1.5)  # answers that were on their way have come
            assert not await moves_on()
        finally:
            stack.kill("kafka", signal.SIGCONT)
        await until(moves_on)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_who_was_overtaken_before_its_first_client_finds_out(settings: Settings) -> None:
    connection = database.connect(settings)
    leases = mailboxes.collection(connection)
    mine = await mailboxes.create(leases, 0, "me")
    assert mine is not None
    await lease.confirm(leases, mine, taken_at=0)
    seen = (await mailboxes.find_all(leases))[0]
    assert await mailboxes.take(leases, seen, "another") is not None
    with pytest.raises(LeaseLost):
        await lease.confirm(leases, mine, taken_at=0)
    database.close(connection)


async def test_bulk_waits_for_an_urgent_record_that_has_arrived(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor within a record. Its way through aiokafka has nine turns of the loop: bulk would work on in each of them."""
    monkeypatch.setattr("clarion.cooperative.AT_LEAST_EVERY_S", 0)
    names = Names(settings.prefix)
    bulk, urgent = Control("disconnect", "bulk"), Control("disconnect", "urgent")
    handled, after_arrival, found = asyncio.Event(), list[Delivery](), 0

    def handle(record: Delivery) -> Iterator[None]:
        if record == urgent:
            handled.set()
            return
        for _ in range(_PIECES):
            if after_arrival or _arrives(consumers[0], b'"urgent"'):
                after_arrival.append(record)
            yield

    mailbox = MailboxReader(mailboxes.Lease(0, "me", 1, 0), names, handle, lambda: None)
    async with clients.producer(settings) as producer, mailbox.positioned(settings, producer) as consumers:
        record = {"topic": names.deliveries_bulk, "value": encode(bulk), "partition": 0}
        await clients.send_all(producer, [record] * (2_000 // _PIECES))
        reading = [asyncio.create_task(mailbox.read(consumer)) for consumer in consumers]
        async with asyncio.timeout(10):
            while not after_arrival:  # it may have come between two of bulk
                handled.clear()
                await producer.send(names.deliveries(Lane.URGENT), encode(urgent), partition=0)
                await handled.wait()
                found = len(after_arrival)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    assert found == 1  # the piece that was being handled when it came


def _arrives(consumer: Any, what: bytes) -> bool:
    """Work for a while, unless `what` is in one of the consumer's sockets, not read yet."""
    sockets = [connection._writer.get_extra_info("socket") for connection in consumer._client._conns.values()]
    ready, _, _ = select.select(sockets, [], [], 0.005)
    return any(what in _peek(one) for one in ready)


def _peek(one: Any) -> bytes:
    with socket.socket(fileno=os.dup(one.fileno())) as copy:
        return copy.recv(65_536, socket.MSG_PEEK)
