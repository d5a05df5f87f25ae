"""Do a lane's work on one window: decode → store → route → emit. All four are awaited before the window is done.

Each step may be repeated after a crash or a failure: the insert goes by `_id`, and the emission by the clients'
cursors.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer

from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.resilience.latency_limit import Gate
from clarion.resilience.retry import retry
from clarion.store import notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.telemetry import metrics
from services.stream.engine import window_spans
from services.stream.engine.stage_order import Stage, Ticket
from services.stream.engine.windows import Window
from services.stream.lanes.retractions import withdraw
from services.stream.steps.dead_letters import report
from services.stream.steps.dead_receipts import dead_receipts
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.pack import pack
from services.stream.steps.produce import produce
from services.stream.steps.records import (
    Sent,
    dead_letter_records,
    item_records,
    late_records,
    moved_records,
    receipt_records,
)
from services.stream.steps.sampled import give, named, sampled
from services.stream.steps.store import Outcome, store
from services.stream.steps.throttle import RecipientThrottle

log = structlog.get_logger()

Mailboxes = Mapping[str, Set[int]]  # by user, for those who are connected


@dataclass(slots=True)
class LaneWork:
    """The work of one lane on its windows."""

    lane: Lane
    generation: int
    partitions: int  # by how many of them its recipients are placed
    names: Names
    database: Database
    producer: AIOKafkaProducer
    gate: Gate | None  # limits a bulk lane's inserts, so that urgent ones stay fast; None for urgent
    throttling: RecipientThrottle | None
    confirmed: Callable[[], Awaitable[None]] | None = None  # awaited before each try to store something
    began: int | None = None  # the generation in which its topic was made, if that is not the present one

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        """Do all of the window's work, which is done when this returns."""
        decoded = self.decode(window)
        async with ticket.at(Stage.STORE):
            outcome = await self.store(decoded, ticket)
        await self.emit(decoded, outcome, await self.route(outcome), ticket)

    def decode(self, window: Window) -> Decoded:
        """Decode the window's records, and mark what goes beyond a recipient's limit."""
        with self.stage("decode"):
            now = times.now()
            decoded = decode_window(window.batches, self.lane, self.generation, self.partitions, now, self.began)
            if self.throttling:
                self.throttling.apply(decoded, max(batch.ownership_epoch for batch in window.batches), now.timestamp())
        return decoded

    async def store(self, decoded: Decoded, ticket: Ticket) -> Outcome:
        """Store the window, and return what to emit. Await it while the window holds `Stage.STORE`."""
        if self.confirmed:
            await self.confirmed()
        with self.stage("store"):
            stored = notifications.collection(self.database)
            entries = list(decoded.entries.values())
            outcome = await store(stored, self.lane, entries, ticket, self.gate, times.now(), self.confirmed)
            if decoded.planned:
                await withdraw(self.database, decoded.planned, outcome)
        return outcome

    async def route(self, outcome: Outcome) -> Mailboxes:
        """Return where the recipients of what is emitted are connected.

        Await it after the store (D-store-first): a user who connects later reads what is pending.
        """
        with self.stage("route"):
            users = list({item.recipient for item in outcome.items})
            online = sessions.collection(self.database)
            return await retry(lambda: sessions.route(online, users), "mongodb", *database.TRANSIENT)

    async def emit(self, decoded: Decoded, outcome: Outcome, mailboxes: Mailboxes, ticket: Ticket) -> None:
        """Send what is to be emitted, once earlier windows have left `Stage.EMIT`, and wait until Kafka has it."""
        letters = [*decoded.dead, *outcome.dead]
        async with ticket.at(Stage.EMIT):
            if gone := decoded.gone(times.now()):  # some may have expired during a long wait for MongoDB
                outcome.items = [item for item in outcome.items if item.id not in gone]
            packed = list(pack(outcome.items, self.lane, mailboxes))
            traces = sampled(decoded.entries.values())
            give(traces, (record for _, record in packed))
            records = [
                *item_records(self.names, self.lane, packed),
                *late_records(self.names, self.lane, [i for i in outcome.items if i.id in outcome.late], mailboxes),
                *moved_records(self.names.notifications(self.lane), decoded.moved),
                *moved_records(self.names.scheduled, decoded.early),
                *dead_letter_records(self.names, letters),
                *receipt_records(self.names, dead_receipts(letters, times.now())),
            ]
            with self.stage("emit"):
                await self.send(records)
        metrics.emitted.labels(self.lane).inc(sum(len(record.items) for _, record in packed))
        self._count(decoded, outcome)
        report(letters)
        if traces:
            log.debug(
                "sampled notifications were stored, and sent to whoever is connected", lane=self.lane, **named(traces)
            )

    async def send(self, records: Sequence[Sent]) -> None:
        """Send records until Kafka has all of them."""
        await produce(self.producer, self.names, records)

    def _count(self, decoded: Decoded, outcome: Outcome) -> None:
        metrics.stored.labels(self.lane).inc(outcome.fresh)
        if self.gate:
            metrics.insert_limit.labels(self.lane).set(self.gate.limit.calls)
        metrics.repeated.labels(self.lane).inc(outcome.repeated + decoded.repeats)
        metrics.collapsed.labels(self.lane).inc(outcome.collapsed)
        metrics.throttled.labels(self.lane).inc(decoded.throttled)
        metrics.rate_limited.labels("recipient_rate").inc(decoded.throttled)
        metrics.moved.labels(self.lane).inc(len(decoded.moved))
        metrics.early.labels(self.lane).inc(len(decoded.early))
        metrics.expired.labels(self.lane).inc(decoded.expired)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Measure how long the block takes, as the stage `name` of the lane."""
        started = time.perf_counter()
        yield
        took_s = time.perf_counter() - started
        metrics.stage_seconds.labels(self.lane, name).observe(took_s)
        window_spans.stage(name, took_s)
