"""How long an urgent notification takes from publish to its delivery record, alone and beside loaded bulk lanes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from rich.console import Console

from clarion.broker import clients
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Items
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes, notifications
from clarion.store.driver import database
from tests.bench.stream.load import MAILBOXES, bring_online, record
from tests.bench.stream.throughput import ARMS, own_lane
from tests.report import Row, at_most, p99_ms
from tests.subprocesses import child

CHUNKS: Final = 20
CHUNK: Final = 50
_PAUSE_S: Final = 0.005
_WITHIN_S: Final = 30.0
URGENT: Final = ["-m", "clarion.cli", "stream", "--role", "lane", "--lane", "urgent"]


async def measure(env: Mapping[str, str], bulk_maximum: float, console: Console) -> list[Row]:
    async with own_lane(env) as own, child(URGENT, own), child(ARMS["lane"], own):
        settings = Settings.from_env(own)
        await bring_online(settings)
        async with asyncio.TaskGroup() as tasks:
            probe = Probe(settings)
            await probe.start(tasks)
            try:
                quiet = await probe.chunks()
                rate, seconds = 0.7 * bulk_maximum, 60.0
                async with child(["-m", "tests.bench.stream.load", str(rate), str(seconds)], own):
                    await asyncio.sleep(5)
                    beside = await probe.chunks()
            finally:
                await probe.stop()
    p99 = {name: p99_ms(seconds) for name, seconds in quiet.items()}
    loaded = {name: p99_ms(seconds) for name, seconds in beside.items()}
    console.print("  quiet p99: " + "  ".join(f"{name} {ms:.1f} ms" for name, ms in p99.items()))
    console.print(f"  beside {rate:,.0f}/s of bulk: " + "  ".join(f"{name} {ms:.1f} ms" for name, ms in loaded.items()))
    return [
        *(Row(f"urgent: {name}, p99", ms, "ms") for name, ms in p99.items()),
        at_most("urgent / (Kafka round trip + majority insert), p99", _times_raw(p99), 2),
        *(Row(f"beside bulk at {rate:,.0f}/s: {name}, p99", ms, "ms") for name, ms in loaded.items()),
        # what the servers themselves take beside bulk is in it: without that, the urgent lane's own part
        Row("beside bulk: urgent / (Kafka round trip + majority insert), p99", _times_raw(loaded), "×"),
        Row("beside bulk: a raw majority insert / quiet, p99", loaded["insert"] / p99["insert"], "×"),
        at_most("urgent beside bulk / quiet, p99", loaded["urgent"] / p99["urgent"], 2),
    ]


def _times_raw(p99: Mapping[str, float]) -> float:
    return p99["urgent"] / (p99["kafka"] + p99["insert"])


class Probe:
    """Three latencies in turn: a raw Kafka round trip, a majority insert, and the urgent lane."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = Names(settings.prefix)
        self._producer: AIOKafkaProducer = clients.producer(settings)
        self._consumer: Any = clients.mailbox_consumer(settings)
        self._connection = database.connect(settings)
        self._seen: dict[str, asyncio.Event] = {}

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        await indexes.ensure(self._connection)
        await self._producer.start()
        await self._consumer.start()
        partitions = [TopicPartition(self._names.deliveries_urgent, n) for n in range(MAILBOXES)]
        # the echo needs a topic that no lane reads
        self._echo = TopicPartition(self._names.scheduled, 0)
        self._consumer.assign([*partitions, self._echo])
        await self._consumer.seek_to_end()
        for partition in (*partitions, self._echo):
            await self._consumer.position(partition)
        self._reading = tasks.create_task(self._read())
        async with asyncio.timeout(_WITHIN_S):
            await self._urgent()  # the lane is there

    async def stop(self) -> None:
        self._reading.cancel()
        await self._producer.stop()
        await self._consumer.stop()
        database.close(self._connection)

    async def chunks(self) -> dict[str, list[float]]:
        calls = {"kafka": self._kafka, "insert": self._insert, "urgent": self._urgent}
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(CHUNKS):
            for name, call in calls.items():
                found[name] += [await self._timed(call) for _ in range(CHUNK)]
        return found

    async def _timed(self, call: Callable[[], Awaitable[None]]) -> float:
        await asyncio.sleep(_PAUSE_S)
        began = time.perf_counter()
        async with asyncio.timeout(_WITHIN_S):
            await call()
        return time.perf_counter() - began

    async def _kafka(self) -> None:
        id_ = new_id()
        seen = self._seen[id_] = asyncio.Event()
        await self._producer.send_and_wait(self._echo.topic, id_.encode(), partition=self._echo.partition)
        await seen.wait()

    async def _insert(self) -> None:
        stored = notifications.collection(self._connection)
        await stored.insert_one({"_id": new_id(), "recipient": "user-1", "lane": "low", "ord": 0, "state": "read"})

    async def _urgent(self) -> None:
        id_ = new_id()
        seen = self._seen[id_] = asyncio.Event()
        await self._producer.send_and_wait(**record(self._settings, "user-2", Lane.URGENT, id_))
        await seen.wait()

    async def _read(self) -> None:
        async for fetched in self._consumer:
            if fetched.topic == self._echo.topic:
                self._see(fetched.value.decode())
                continue
            delivery = deliveries.decode(fetched.value)
            for item in delivery.items if isinstance(delivery, Items) else ():
                self._see(item.id)

    def _see(self, id_: str) -> None:
        if seen := self._seen.pop(id_, None):
            seen.set()
