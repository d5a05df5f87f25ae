"""Do the scheduler's work on one window: decode → hold. `release.py` releases what is held when it is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaProducer

from clarion.contracts import times
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.updates import early_retractions, stubs
from clarion.telemetry import metrics
from services.stream.engine.stage_order import Stage, Ticket
from services.stream.engine.windows import Window
from services.stream.scheduler.decode import DecodedToHold, decode_plans
from services.stream.steps.dead_letters import report
from services.stream.steps.dead_receipts import dead_receipts
from services.stream.steps.decode import conflict, dead_letter
from services.stream.steps.produce import produce
from services.stream.steps.records import dead_letter_records, moved_records, receipt_records
from services.stream.steps.store import POISON_TRIES, insert_all


@dataclass(slots=True)
class HoldWork:
    """The work of the scheduler role on its windows."""

    began: int  # the generation in which its topic was made
    partitions: int
    names: Names
    database: Database
    producer: AIOKafkaProducer
    came: Callable[[datetime], None]  # called with when the first of a window is due

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        """Do all of the window's work, which is done when this returns."""
        now = times.now()
        plans = decode_plans(window.batches, self.began, self.partitions, now)
        async with ticket.at(Stage.STORE):
            dead, fresh = await self._hold(plans, ticket, now)
            retracted = await retry(lambda: self._take_back(list(plans.by_id), now), "mongodb", *database.TRANSIENT)
        letters = [*plans.dead, *dead]
        records = [
            *moved_records(self.names.scheduled, plans.moved),
            *dead_letter_records(self.names, letters),
            *receipt_records(self.names, dead_receipts(letters, now)),
            *receipt_records(self.names, early_retractions.receipts_of(retracted, now)),
        ]
        async with ticket.at(Stage.EMIT):
            await produce(self.producer, self.names, records)
        metrics.scheduled.inc(fresh)
        report(letters)

    async def _hold(self, plans: DecodedToHold, ticket: Ticket, now: datetime) -> tuple[list[DeadLetter], int]:
        """Hold the window. Return what can never be held, and how many were not held before.

        Raise `OwnershipLost` when the partitions are given up meanwhile.
        """
        held = scheduled.collection(self.database)
        documents = [plan.document(now) for plan in plans.by_id.values()]
        inserted = await insert_all(held, documents, ticket, None)
        before: dict[str, bytes] = {}
        if inserted.repeats:
            before = await retry(lambda: scheduled.digests(held, inserted.repeats), "mongodb", *database.TRANSIENT)
        dead: list[DeadLetter] = []
        for id_, reason in inserted.refused.items():
            plan = plans.by_id[id_]
            dead.append(dead_letter(plan.record, plan.partition, Reason.UNSTORABLE, reason, now, attempts=POISON_TRIES))
        for id_, digest in before.items():
            plan = plans.by_id[id_]
            if digest != plan.digest:
                dead.append(conflict(plan.record, plan.partition, id_, now))
        if documents:
            self.came(min(document["due"] for document in documents))
        return dead, len(documents) - len(inserted.repeats) - len(inserted.refused)

    async def _take_back(self, ids: Sequence[str], now: datetime) -> dict[str, str]:
        """Take back what was retracted before it was held. Return its recipients by id.

        Await it after the hold: `early_retractions.py` says why. For each window it looks for some ids, which is little
        beside what holding costs.
        """
        noted = await stubs.retractions(notifications.collection(self.database), ids)
        return await scheduled.take_back(scheduled.collection(self.database), noted, now)
