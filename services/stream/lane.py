"""A lane's work on one window: decode → store → route → emit. Everything is awaited; only then is the window done.

Each step may be repeated after a crash or a failure: the insert by `_id`, the emission by the clients' cursors.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS, send_all
from clarion.contracts import times
from clarion.contracts.dead_letters import DeadLetter, Reason
from clarion.contracts.deliveries import Addressed
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.resilience.backoff import retry
from clarion.store import database, notifications, sessions
from clarion.store.database import Database
from clarion.store.notifications import Inserted, State, Stored
from clarion.telemetry import metrics
from services.stream.decoding import Decoded, conflict, dead_letter, decode_window
from services.stream.emitting import dead_letter_records, item_records
from services.stream.packing import address
from services.stream.turns import Stage, Turn
from services.stream.windows import Window

log = structlog.get_logger()

# A repeat of what was delivered this recently is emitted again: its first emission may have reached the gateway of one
# of the user's devices and not that of another.
EMIT_AGAIN: Final = timedelta(minutes=15)

T = TypeVar("T")


@dataclass(slots=True)
class LaneWork:
    lane: Lane
    generation: int
    names: Names
    database: Database
    producer: AIOKafkaProducer

    async def __call__(self, window: Window, turn: Turn) -> None:
        now = times.now()
        with self._stage("decode"):
            decoded = decode_window(window.batches, self.lane, self.generation, now)
        async with turn.at(Stage.STORE):
            with self._stage("store"):
                items, dead = await self._store(decoded, turn, now)
        with self._stage("route"):
            # after the store [M]: whoever connects later reads what is pending
            users = list({item.recipient for item in items})
            mailboxes = await self._retry(lambda: sessions.route(sessions.collection(self.database), users))
        letters = [*decoded.dead, *dead]
        records = [*item_records(self.names, self.lane, items, mailboxes), *dead_letter_records(self.names, letters)]
        async with turn.at(Stage.EMIT):
            with self._stage("emit"):
                await retry(lambda: send_all(self.producer, records), "kafka", *SEND_ERRORS)
        metrics.emitted.labels(self.lane).inc(sum(len(mailboxes.get(item.recipient, ())) for item in items))
        _say_dead(letters)

    async def _store(self, decoded: Decoded, turn: Turn, now: datetime) -> tuple[list[Addressed], list[DeadLetter]]:
        """Store what is new, look up what was there; return what to emit in the lane's order, and what never can be."""
        entries = decoded.entries
        documents = [entry.document(self.lane, now) for entry in entries.values()]
        stored = notifications.collection(self.database)

        async def insert() -> Inserted:
            turn.check()
            return await notifications.insert(stored, documents)

        inserted = await self._retry(insert)
        before: dict[str, Stored] = {}
        if inserted.repeats:
            before = await self._retry(lambda: notifications.find(stored, list(inserted.repeats)))
        self._count(decoded, len(inserted.repeats), len(inserted.refused))
        items: list[Addressed] = []
        dead: list[DeadLetter] = []
        for id_, entry in entries.items():
            if id_ in inserted.refused:
                dead.append(dead_letter(entry.record, entry.partition, Reason.UNSTORABLE, inserted.refused[id_], now))
            elif id_ not in inserted.repeats:
                if not entry.expired:
                    items.append(address(entry.notification.recipient, self.lane, entry.ord, id_, entry.body))
            elif known := before.get(id_):
                if known.digest != entry.digest:
                    dead.append(conflict(entry.record, entry.partition, id_, now))
                elif _is_due_again(known, now):
                    items.append(address(known.recipient, known.lane, known.ord, known.id, known.body))
        return items, dead

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """The lane waits while MongoDB is away; Kafka is its buffer."""
        return await retry(call, "mongodb", *database.TRANSIENT)

    def _count(self, decoded: Decoded, repeats: int, refused: int) -> None:
        entries = decoded.entries.values()
        metrics.stored.labels(self.lane).inc(len(decoded.entries) - repeats - refused)
        metrics.repeated.labels(self.lane).inc(repeats + decoded.repeats)
        metrics.expired.labels(self.lane).inc(sum(entry.expired for entry in entries))

    @contextmanager
    def _stage(self, name: str) -> Generator[None]:
        started = time.perf_counter()
        yield
        metrics.stage_seconds.labels(self.lane, name).observe(time.perf_counter() - started)


def _is_due_again(known: Stored, now: datetime) -> bool:
    """On a repeat the stored state and `ord` decide, not the record's."""
    recent = known.delivered_at is not None and now - known.delivered_at < EMIT_AGAIN
    return known.state is State.PENDING or (known.state in (State.DELIVERED, State.READ) and recent)


def _say_dead(letters: Iterable[DeadLetter]) -> None:
    for letter in letters:
        metrics.dead_lettered.labels(letter.reason).inc()
        log.warning(
            "dead letter",
            reason=letter.reason,
            error=letter.error,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
        )
