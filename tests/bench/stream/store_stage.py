"""The store stage alone: what a lane does with 500 decoded records, against `insert_many` and single inserts."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from statistics import median
from typing import Final

import bson
from rich.console import Console

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes, notifications, raw_documents
from clarion.store.driver import database
from services.stream.engine.stage_order import Ticket
from services.stream.steps.decode import Entry, decode_window
from services.stream.steps.store import store
from tests.bench.stream.load import USERS, record
from tests.report import Row, at_least

WINDOW: Final = 500
ROUNDS: Final = 20
SINGLES: Final = 50  # of a window: each costs a journal flush


class Fetched:
    """A record as the consumer hands it over."""

    headers = ()
    timestamp = 0
    timestamp_type = 1
    key = b""

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset = offset
        self.value = value


async def measure(settings: Settings, console: Console) -> list[Row]:
    connection = database.connect(settings)
    await indexes.ensure(connection)
    stored = notifications.collection(connection)
    each: dict[str, list[float]] = {"stage": [], "insert_many": [], "singles": []}
    for round_ in range(ROUNDS):
        staged, many, singles = (_window(settings, round_ * 3 + n) for n in range(3))
        now = times.now()
        documents = _documents(many, now)
        alone = _documents(singles[:SINGLES], now)

        async def one_by_one(alone: list[database.Document] = alone) -> None:
            for document in alone:
                await stored.insert_one(document)

        async def staged_at_once(staged: list[Entry] = staged, now: datetime = now) -> None:
            await store(stored, Lane.LOW, staged, Ticket(), None, now)

        each["stage"].append(await _seconds(staged_at_once) / WINDOW)
        each["insert_many"].append(await _seconds(lambda d=documents: stored.insert_many(d, ordered=False)) / WINDOW)
        each["singles"].append(await _seconds(one_by_one) / SINGLES)
    database.close(connection)
    cost = {name: median(seconds) for name, seconds in each.items()}
    console.print("  " + "  ".join(f"{name} {1 / seconds:,.0f}/s" for name, seconds in cost.items()))
    return [
        *(Row(f"store: {name}", 1 / seconds, "notifications/s") for name, seconds in cost.items()),
        at_least("store: stage / single inserts", cost["singles"] / cost["stage"], 20),
        at_least("store: stage / bare insert_many", cost["insert_many"] / cost["stage"], 0.9),
    ]


def _window(settings: Settings, number: int) -> list[Entry]:
    topic = Names(settings.prefix).notifications(Lane.LOW)
    values = [record(settings, f"user-{n % USERS}", Lane.LOW)["value"] for n in range(WINDOW)]
    records = [Fetched(number * WINDOW + n, value) for n, value in enumerate(values)]
    batch = RecordBatch(Partition(topic, 0), records, 0, 0)
    return list(decode_window([batch], Lane.LOW, 0, 1, times.now()).entries.values())


def _documents(entries: Sequence[Entry], now: datetime) -> list[database.Document]:
    """What the stage stores, as dictionaries."""
    return [bson.decode(document.raw) for document in raw_documents.encode(entries, Lane.LOW, now, now)]


async def _seconds(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began
