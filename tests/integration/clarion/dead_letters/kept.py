"""Dead letters in a store of the test's own, and an operator of them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.topics import Names
from clarion.operating.audit_log import CLI, Operator
from clarion.settings import Settings
from clarion.store.dead_letters import letters, queries
from clarion.store.dead_letters.letters import Letter
from clarion.store.driver.database import Database
from services.stream.engine.stage_order import Ticket
from services.stream.engine.windows import DEAD_LETTERS_POLICY, Window
from services.stream.receipts.dead_letters import DeadLettersWork
from tests.unit.records import record

NOW = times.now()


def operator(stored: Database, settings: Settings, who: str = "op") -> Operator:
    return Operator(stored, Names(settings.prefix), who, CLI)


def dead(names: Names, offset: int, value: bytes = b"x", **fields: Any) -> DeadLetter:
    known: dict[str, Any] = {
        "value": value, "key": b"ann", "reason": Reason.UNDECODABLE, "error": "no", "partition": 0, "offset": offset,
        "topic": names.notifications(Lane.LOW), "attempts": 1, "first_seen": NOW, "last_seen": NOW,
        "own": [("traceparent", b"t")],
    }  # fmt: skip
    return DeadLetter(**known | fields)


async def fold(stored: Database, names: Names, dying: Sequence[DeadLetter], at: datetime = NOW) -> None:
    """What the receipts role does with these records of `dead-letters`, a second apart from `at` on."""
    records: list[Any] = [
        replace(_record(one, n, at + timedelta(seconds=n)), key=one.partition_key()) for n, one in enumerate(dying)
    ]
    window = Window(DEAD_LETTERS_POLICY, 0)
    window.add(RecordBatch(Partition(names.dead_letters, 0), records, 0, 0), 0)
    await DeadLettersWork(letters.collection(stored))(window, Ticket())


async def all_letters(stored: Database) -> list[Letter]:
    """The oldest first."""
    return await queries.page(letters.collection(stored), {}, after=None, limit=1000, oldest_first=True)


@asynccontextmanager
async def producing(settings: Settings) -> AsyncGenerator[Any]:
    producer = clients.producer(settings)
    await clients.start(producer)
    try:
        yield producer
    finally:
        await producer.stop()


def _record(letter: DeadLetter, offset: int, at: datetime) -> Any:
    return record(letter.payload(), offset, headers=letter.headers(), timestamp_ms=int(at.timestamp() * 1000))
