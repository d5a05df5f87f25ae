"""Accounts for what a server of the bench delivered: each notification received once, and acknowledged once."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from clarion.broker import clients
from clarion.contracts.records import receipts
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway.arms import Lost
from tests.bench.gateway.clients import Board, Count

WITHIN_S: Final = 300.0


@dataclass(slots=True)
class ReceiptReader:
    """Reads the receipts of servers under the same topics, from the first one on."""

    consumer: Any

    async def account(self, ids: set[str], boards: Sequence[Board], received: int) -> None:
        """Read on until there is a receipt for each of `ids`, which were delivered since the last call.

        `received` is how many the clients of all `boards` have received in all. Raises Lost.
        """
        seen: list[str] = []
        try:
            async with asyncio.timeout(WITHIN_S):
                while len(seen) < len(ids):
                    fetched: Any = await self.consumer.getmany(timeout_ms=100)
                    for records in fetched.values():
                        for record in records:
                            seen += receipts.decode(record.value).ids
        except TimeoutError as error:
            raise Lost(f"{len(seen):,} of {len(ids):,} were acknowledged") from error
        came, repeated, skipped = (
            sum(board[count] for board in boards) for count in (Count.RECEIVED, Count.REPEATED, Count.SKIPPED)
        )
        if set(seen) != ids or len(seen) != len(ids) or repeated or skipped or came != received:
            raise Lost(f"{len(set(seen) & ids):,} of {len(ids):,} acknowledged, {repeated} repeated, {skipped} skipped")


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[ReceiptReader]:
    """A reader of the receipts of `settings`."""
    topic = Names(settings.prefix).receipts
    consumer: Any = clients.mailbox_consumer(settings)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, n) for n in range(settings.partitions_lane)])
        await consumer.seek_to_beginning()
        yield ReceiptReader(consumer)
    finally:
        await consumer.stop()
