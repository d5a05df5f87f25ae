"""What a gateway does for one connection: session, catching up, frames, acknowledgements."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from clarion.contracts import times
from clarion.contracts.records.receipts import Op, Receipt
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START, Found
from services.gateway.delivery.read_scheduler import ITEMS
from services.gateway.mailbox import connect_lookup
from tests.model.steps.step import Step, Steps
from tests.model.world.device import Device
from tests.model.world.environment import now
from tests.model.world.gateway import Connection, Frame, Gateway, connections, reaches_mongodb
from tests.model.world.kafka import Receipts
from tests.model.world.mongo import Collection, answered
from tests.model.world.scenario import Violation
from tests.model.world.world import World


def steps(w: World) -> Steps:
    for number, gateway in w.each(Gateway):
        if not reaches_mongodb(w, gateway):
            continue
        if gateway.notes and gateway.notes.wanted:
            yield Step("gateway {0} writes its sessions", write_sessions, (number,))
        if gateway.late:
            yield Step("a session write of gateway {0} that had timed out lands late", land, (number,))
    for at, connection in w.each(Connection):
        gateway = w.get(Gateway, at[0])
        if gateway.is_asleep:
            continue
        if connection.up:
            yield Step("gateway {0} hears that device {1} has handled tag {2}", acknowledge, (*at, connection.up))
        if not connection.is_open:
            yield Step("gateway {0} notices that device {1} is gone", leave, at)
        if connection.is_stored and connection.arrival and not connection.is_present:
            yield Step("gateway {0} is told what waits for device {1}", arrive, at)
        if connection.answer is not None:
            yield Step("gateway {0} is answered its read for device {1}", finish_read, at)
        elif connection.is_present and reaches_mongodb(w, gateway) and connection.feed.next_read():
            yield Step("gateway {0} reads the store for device {1}", start_read, at)
        if connection.feed.ahead is not None:
            yield Step("gateway {0} lets go of what it read ahead for device {1}", let_go, at)
        if _has_news(w, gateway, connection):
            yield Step("gateway {0} pings device {1}", ping, at)


# ---- sessions


def write_sessions(w: World, number: int, *, times_out: bool = False) -> None:
    """`times_out`: a first try may land at any time after this one."""
    gateway = w.change(Gateway, number)
    assert gateway.notes is not None
    users, writes = gateway.notes.take()
    if times_out:
        gateway.late += tuple(writes)
    answered(sessions.write(w.change(Collection, "sessions").driver, writes))
    for device, connection in connections(w, number):
        if connection.user in users and not connection.is_stored:
            w.change(Connection, number, device).is_stored = True
            if connection.arrival is None:
                look_up(w, number, device)


def look_up(w: World, number: int, device: int) -> None:
    """Ask what waits for it."""
    connection = w.change(Connection, number, device)
    wanted = {connection.user: connection.asked and connection.asked.since}
    found = answered(connect_lookup.look_up(_database(w), wanted))
    connection.arrival = found[connection.user]


def _database(w: World) -> Database:
    collections = {"notifications": w.get(Collection, "notifications"), "revocations": Collection(())}
    return cast("Database", collections)


def arrive(w: World, number: int, device: int) -> None:
    """From now on it may read the store. What is pending up to a client's cursors was handled."""
    connection = w.change(Connection, number, device)
    connection.is_present = True
    arrival = connection.arrival
    if connection.asked is not None and arrival is not None and arrival.pending is not None:
        connection.feed.nothing_pending(connection.asked, arrival.pending, arrival.delivered)
    if connection.resumed and (arrival is None or arrival.pending != frozenset()):
        stored = w.get(Collection, "notifications").driver
        if handled := answered(notifications.pending_up_to(stored, connection.user, connection.resumed, 100)):
            _receipt(w, number, device, handled)


def land(w: World, number: int) -> None:
    gateway = w.change(Gateway, number)
    late, gateway.late = gateway.late, ()
    answered(sessions.write(w.change(Collection, "sessions").driver, late))


def leave(w: World, number: int, device: int) -> None:
    user = w.get(Connection, number, device).user
    w.remove(Connection, number, device)
    gateway = w.change(Gateway, number)
    if gateway.notes and all(connection.user != user for _, connection in connections(w, number)):
        gateway.notes.note(user, False)


# ---- catching up


def start_read(w: World, number: int, device: int) -> None:
    connection = w.change(Connection, number, device)
    issued = connection.feed.next_read(ITEMS)
    assert issued is not None
    found = answered(
        notifications.catch_up(
            w.get(Collection, "notifications").driver,
            connection.user,
            issued.lane,
            after=issued.after,
            delivered_since=connection.feed.delivered_since(),
            limit=issued.limit,
            now=now(w),
        )
    )
    items = tuple(OutgoingItem(item.id, issued.lane, item.ord, item.body) for item in found)
    connection.answer = Found(issued, items, tuple(item.ord for item in found if not item.pending))


def finish_read(w: World, number: int, device: int) -> None:
    connection = w.change(Connection, number, device)
    answer, connection.answer = connection.answer, None
    assert answer is not None
    send(w, number, device, connection.feed.found(*answer))


def feed_on(w: World, number: int, device: int) -> None:
    """From what was read ahead, as far as credit goes."""
    send(w, number, device, w.change(Connection, number, device).feed.more() or ())


def let_go(w: World, number: int, device: int) -> None:
    w.change(Connection, number, device).feed.ahead = None


# ---- frames


def send(w: World, number: int, device: int, items: Sequence[OutgoingItem]) -> None:
    """Raises `Violation` when they are not the user's, not in order or not new on this connection."""
    if not items:
        return
    connection = w.change(Connection, number, device)
    for item in items:
        name = w.scenario.names([item.id])
        if w.scenario.by_id[item.id][1].recipient != connection.user:
            raise Violation(f"{name} is sent to device {device}, which is another user's")
        if item.stored and item.ord <= connection.sent.get(item.lane, START):
            raise Violation(f"{name} is sent out of order, or twice on one connection")
        if item.stored:
            connection.sent[item.lane] = item.ord
    tag = connection.feed.send(items)
    _write(w, connection, Frame(tag, tuple(items), connection.feed.advance_since(caught_up(w, w.get(Gateway, number)))))


def ping(w: World, number: int, device: int) -> None:
    connection = w.change(Connection, number, device)
    _write(w, connection, Frame(None, (), connection.feed.advance_since(caught_up(w, w.get(Gateway, number)))))


def _write(w: World, connection: Connection, frame: Frame) -> None:
    if connection.is_open:
        connection.down += (frame,)


def caught_up(w: World, gateway: Gateway) -> datetime | None:
    """As `Mailbox.caught_up`; where time cannot pass, it always is."""
    known = [end.at_end.until_ms for end in gateway.ends.values()]
    if not known or not w.keeps("D-since-read"):
        return now(w)
    return None if None in known else times.from_ms(min(ms for ms in known if ms is not None))


def _has_news(w: World, gateway: Gateway, connection: Connection) -> bool:
    """Only a `since` that moves is worth a ping here."""
    if not connection.is_present or not connection.is_open:
        return False
    upto = caught_up(w, gateway)
    return upto is not None and upto > connection.feed.since and connection.copy().feed.advance_since(upto) == upto


def acknowledge(w: World, number: int, device: int, tag: int) -> None:
    connection = w.change(Connection, number, device)
    handled = connection.feed.ack(tag)
    connection.up = 0
    for is_early in (False, True):
        if ids := [item.id for item in handled if item.stored is not is_early]:
            _receipt(w, number, device, ids, is_early=is_early)
    feed_on(w, number, device)


def _receipt(w: World, number: int, device: int, ids: list[str], *, is_early: bool = False) -> None:
    if unseen := set(ids) - w.get(Device, device).received - w.get(Device, device).exempt:
        raise Violation(
            f"there is a receipt for {w.scenario.names(sorted(unseen))}, which device {device} has not seen"
        )
    receipt = Receipt(w.get(Connection, number, device).user, Op.DELIVERED, ids, now(w), None, is_early)
    w.change(Receipts, 0).waiting += (receipt,)
