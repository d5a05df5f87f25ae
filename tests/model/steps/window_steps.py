"""What is done with a window, stage by stage; and with receipts."""

from dataclasses import replace
from typing import Any

from clarion.contracts.lanes import Lane
from clarion.store import notifications, sessions
from clarion.store.notifications import Inserted
from clarion.store.updates import receipt_updates, stubs
from services.stream.receipts.fold import fold
from services.stream.steps.pack import pack
from services.stream.steps.store import _completes, settle
from tests.model.world.environment import now
from tests.model.world.kafka import Delivery, MailboxLog, Receipts, partition, topic
from tests.model.world.mongo import Collection, answered
from tests.model.world.worker import Done, Window, Worker
from tests.model.world.world import World


def store(w: World, lane: Lane, number: int, offset: int) -> None:
    worker = w.change(Worker, lane, number)
    window = worker.window(offset)
    if not worker.may_go_on(window):
        worker.let_go(offset)
        return
    stored, entry = w.change(Collection, "notifications"), w.scenario.entries[lane][offset]
    whole: dict[str, Any] = {
        "_id": entry.id,
        "recipient": entry.recipient,
        "sender": entry.sender,
        "lane": str(lane),
        "ord": entry.ord,
        "state": "pending",
        "unread": True,
        "body": entry.body,
        "purge_at": now(w),
    }
    before = {} if stored.insert(whole) else answered(notifications.find(stored.driver, [entry.id]))
    late: frozenset[str] = frozenset()
    if (known := before.get(entry.id)) and _completes(entry, known):
        late = frozenset() if known.recipient else frozenset({entry.id})
        whole |= {"late": True}
        if w.keeps("D-stub-completed"):
            answered(stubs.complete(stored.driver, [whole], now(w)))
        else:
            before.clear()  # and it is emitted, as if it was stored
    outcome = settle([entry], Inserted(frozenset(before), late=late), before, set(), now(w))
    worker.replace(replace(window, done=Done.STORED, items=tuple(outcome.items), late=late))


def route(w: World, lane: Lane, number: int, offset: int) -> None:
    worker, there = w.change(Worker, lane, number), w.get(Collection, "sessions")
    window = worker.window(offset)
    if not w.keeps("D-route-all"):
        there = there.without(lambda session: (session["mailbox"], session["epoch"]) not in window.epochs)
    mailboxes = window.mailboxes  # where that rule is left out: as it was before the store
    if w.keeps("D-store-first"):
        mailboxes = answered(sessions.route(there.driver, [item.recipient for item in window.items]))
    if not w.keeps("D-push-all"):
        found = {(session["mailbox"], session["epoch"]) for session in there.documents.values()}
        window = replace(window, epochs=tuple(sorted(found, reverse=True)))
    worker.replace(replace(window, done=Done.ROUTED, mailboxes=mailboxes))


def emit(w: World, lane: Lane, number: int, offset: int) -> None:
    worker = w.change(Worker, lane, number)
    window = worker.window(offset)
    if worker.may_go_on(window):
        for mailbox in packed(window, lane):
            produce(w, lane, window, mailbox)
        worker.tracker.ack(partition(lane), offset, window.epoch)
    worker.let_go(offset)


def packed(window: Window, lane: Lane) -> dict[int, tuple[str, ...]]:
    """The ids for each mailbox: one record each."""
    return {
        mailbox: tuple(item.id for item in record.items)
        for mailbox, record in pack(window.items, lane, window.mailboxes)
    }


def produce(w: World, lane: Lane, window: Window, mailbox: int) -> None:
    routed_for = None if w.keeps("D-push-all") else dict(window.epochs)[mailbox]
    ids = packed(window, lane)[mailbox]
    log = w.change(MailboxLog, mailbox, topic(lane))
    log.records += (Delivery("items", ids, routed_for),)
    if late := window.late.intersection(ids):
        log.records += (Delivery("unstored", tuple(late)),)


# ---- while MongoDB is away


def go_live(w: World, lane: Lane, number: int, offset: int) -> None:
    worker = w.change(Worker, lane, number)
    window = worker.window(offset)
    for mailbox in range(w.scenario.mailboxes):
        record = Delivery("unstored", (w.scenario.entries[lane][offset].id,))
        w.change(MailboxLog, mailbox, topic(lane)).records += (record,)
    worker.live_up_to = max(offset, worker.live_up_to)
    worker.replace(replace(window, is_live=True))
    if not w.keeps("D-outage-again"):
        worker.tracker.ack(partition(lane), offset, window.epoch)
        worker.let_go(offset)


def shelve(w: World, lane: Lane, number: int, offset: int) -> None:
    worker = w.change(Worker, lane, number)
    worker.tracker.shelve(partition(lane), offset, worker.window(offset).epoch)
    worker.let_go(offset)
    worker.shelved_from = offset if worker.shelved_from is None else min(offset, worker.shelved_from)


# ---- receipts


def fold_receipt(w: World) -> None:
    receipts = w.change(Receipts, 0)
    first, *rest = receipts.waiting
    receipts.waiting = tuple(rest)
    answered(receipt_updates.fold(w.change(Collection, "notifications").driver, fold([first]).changes))
