"""A gateway's mailbox on a real Kafka and a real MongoDB: what it is known to have read, and whose it is."""

import asyncio
import signal

import pytest

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import database, mailboxes
from deploy.local.stack import Stack
from services.gateway import lease
from services.gateway.lease import LeaseLost
from services.gateway.mailbox import Mailbox
from tests.conftest import until


async def test_while_kafka_does_not_answer_a_mailbox_is_not_known_to_be_read_to_its_end(
    stack: Stack, settings: Settings
) -> None:
    """`since` would move past what is emitted meanwhile, and a client that takes it along would never see that."""
    mailbox = Mailbox(mailboxes.Lease(0, "me", 1, 0), Names(settings.prefix), lambda _: None, lambda: None)
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
    seen = (await mailboxes.read_all(leases))[0]
    assert await mailboxes.take(leases, seen, "another") is not None
    with pytest.raises(LeaseLost):
        await lease.confirm(leases, mine, taken_at=0)
    database.close(connection)
