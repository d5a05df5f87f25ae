"""Do the receipts role's work: fold receipts into MongoDB in bulk, then tell the users' devices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import Record, RecordBatch
from clarion.contracts import times, trace
from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.records import receipts
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.records.deliveries import Sync
from clarion.contracts.records.notification import Invalid
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.store import deaths, notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.queries import connected_users
from clarion.store.updates import early_retractions, receipt_updates
from clarion.store.updates.receipt_updates import Refused
from clarion.telemetry import metrics
from services.stream.engine.stage_order import Stage, Ticket
from services.stream.engine.windows import Window
from services.stream.receipts.after_lanes import AfterLanes
from services.stream.receipts.fold import Folded, fold
from services.stream.steps.dead_letters import report
from services.stream.steps.decode import dead_letter, empty, refused, unreadable_letters
from services.stream.steps.produce import produce
from services.stream.steps.records import dead_letter_records, receipt_records, sync_records

log = structlog.get_logger()


@dataclass(slots=True)
class ReceiptsWork:
    """The work of the receipts role on its windows."""

    names: Names
    database: Database
    producer: AIOKafkaProducer
    after_lanes: AfterLanes | None = None  # has receipts wait for their notifications (D-restored-receipts)

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        """Do all of the window's work, which is done when this returns."""
        found, dead = decode_receipts(window.batches, times.now())
        held, stored = scheduled.collection(self.database), notifications.collection(self.database)

        async def store() -> tuple[Folded, list[Refused], list[Receipt]]:
            if self.after_lanes is not None:
                await self.after_lanes.wait(ticket.check)
            ticket.check()
            folded = fold(self._unfolded(said) for said in found)
            retracted = early_retractions.retractions(folded.unfound)
            refused: list[Refused] = []
            for change in folded.changes:
                if change.op is Op.RETRACTED and change.user is not None:
                    # Mark it first where it is held: a lane that is storing its release looks there afterwards.
                    try:
                        await scheduled.retract(held, change.ids, change.user, change.at, times.now())
                    except database.Unacceptable as error:
                        refused += [Refused(replace(change, ids=(id_,)), str(error)) for id_ in change.ids]
            await deaths.note(deaths.collection(self.database), folded.dead, times.now())
            refused += await receipt_updates.fold(stored, folded.changes)
            return folded, refused, await early_retractions.retract(self.database, retracted, times.now())

        async with ticket.at(Stage.STORE):  # a user's receipts are folded in their order
            folded, refused, met = await retry(store, "mongodb", *database.TRANSIENT)
        dead += _unfoldable(found, refused)
        for change in folded.changes:
            metrics.folded.labels(change.op).inc(len(change.ids))
        touched = list(dict.fromkeys(user for user, _ in folded.touched))
        online = await retry(lambda: connected_users.find(self.database, touched), "mongodb", *database.TRANSIENT)
        syncs = _syncs(folded.touched, {user: one.unread for user, one in online.items()})
        records = [
            *sync_records(self.names, syncs, {user: one.mailboxes for user, one in online.items()}),
            *receipt_records(self.names, met),
            *dead_letter_records(self.names, dead),
        ]
        async with ticket.at(Stage.EMIT):
            await produce(self.producer, self.names, records)
        report(dead)
        _tell_sampled(found)

    def _unfolded(self, said: "DecodedReceipt") -> Receipt:
        """Return the receipt to fold. What a gateway has folded itself is folded again if that store is gone."""
        receipt, after_lanes = said.receipt, self.after_lanes
        if receipt.folded and after_lanes and after_lanes.is_read_again(said.partition.number, said.record.offset):
            return msgspec.structs.replace(receipt, folded=False)
        return receipt


def _syncs(touched: Mapping[tuple[str, Op], Sequence[str]], unread: Mapping[str, int]) -> list[Sync]:
    """Return what the devices of users are told, with the server's count after the fold."""
    syncs: list[Sync] = []
    for (user, op), ids in touched.items():
        if user not in unread:
            continue
        # a delivery only changes the count: the devices that received it know the ids
        told = [] if op is Op.DELIVERED else list(dict.fromkeys(ids))
        starts = range(0, max(len(told), 1), IDS_PER_FRAME)
        syncs.extend(Sync(user, op, told[start : start + IDS_PER_FRAME], unread[user]) for start in starts)
    return syncs


@dataclass(frozen=True, slots=True)
class DecodedReceipt:
    """A receipt, and the record in which it came."""

    receipt: Receipt
    record: Record
    partition: Partition


def decode_receipts(batches: Iterable[RecordBatch], now: datetime) -> tuple[list[DecodedReceipt], list[DeadLetter]]:
    """Decode a window in one pass. A bad record becomes a dead letter and harms none of its neighbours."""
    found: list[DecodedReceipt] = []
    dead: list[DeadLetter] = []
    for batch in batches:
        dead += unreadable_letters(batch, now)
        for record in batch.records:
            try:
                found.append(
                    DecodedReceipt(receipts.decode(record.value or empty(record), now), record, batch.partition)
                )
            except Invalid as error:
                dead.append(refused(record, batch.partition, error, now))
    return found, dead


def _tell_sampled(found: Iterable[DecodedReceipt]) -> None:
    """Log which receipts of sampled notifications were folded, for whoever follows one through the logs."""
    for said in found:
        if (headers := said.record.headers) and (own := trace.sampled(headers)):
            receipt = said.receipt
            log.debug("a sampled receipt was folded", ids=receipt.ids, trace_id=own.trace_id, op=receipt.op)


def _unfoldable(found: Sequence[DecodedReceipt], refused: Sequence[Refused]) -> list[DeadLetter]:
    """Return dead letters for records whose receipts MongoDB can never take, and not for those folded with them."""
    errors = {(one.change.op, one.change.user, one.change.ids[0]): one.error for one in refused}
    if not errors:
        return []
    dead: list[DeadLetter] = []
    for said in found:
        receipt = said.receipt
        # deliveries are folded for several users at once, so their change names no user
        keys = ((receipt.op, user, id_) for id_ in receipt.ids for user in (receipt.user, None))
        if error := next((errors[key] for key in keys if key in errors), None):
            dead.append(dead_letter(said.record, said.partition, Reason.UNSTORABLE, error, times.now()))
    return dead
