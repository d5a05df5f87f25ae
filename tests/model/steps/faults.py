"""What may go wrong, each as often as the scenario says, in capitals; and how it is mended."""

from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.store.updates import early_retractions, receipt_updates
from clarion.store.updates.receipt_updates import Change
from clarion.store.updates.stubs import Retraction
from services.gateway.client.credit import ProtocolViolation
from tests.model.steps.connection_steps import feed_on, write_sessions
from tests.model.steps.device_steps import hang_up
from tests.model.steps.lease_steps import close_all
from tests.model.steps.step import Step, Steps
from tests.model.steps.window_steps import packed, produce
from tests.model.world.device import Device
from tests.model.world.environment import Weather, now, weather
from tests.model.world.gateway import Connection, Gateway, reaches_mongodb
from tests.model.world.kafka import LaneLog, MailboxLog, Receipts
from tests.model.world.mongo import Collection, answered
from tests.model.world.scenario import Violation
from tests.model.world.worker import Worker
from tests.model.world.world import World


def steps(w: World) -> Steps:
    left = weather(w).left
    if any(left.values()):
        for step in (*_of_workers(w), *_of_gateways(w), *_of_devices(w), *_of_all(w)):
            if step.fault is not None and left.get(step.fault):
                yield step
    yield from _mended(w)


def strike(w: World, fault: str) -> None:
    w.change(Weather, 0).left[fault] -= 1


def _mended(w: World) -> Steps:
    lasts = w.scenario.lasts
    if not weather(w).mongodb and "mongodb is away" not in lasts:
        yield Step("MongoDB is back", bring_mongodb_back)
    for number, gateway in w.each(Gateway):
        if gateway.is_asleep:
            yield Step("gateway {0} wakes", wake_gateway, (number,))
        if gateway.is_cut_off and "gateway is cut off" not in lasts:
            yield Step("gateway {0} reaches MongoDB again", reconnect_gateway, (number,))
    for (lane, number), worker in w.each(Worker):
        if worker.is_asleep:
            yield Step("{0} worker {1} wakes", wake_worker, (lane, number))
    for at, connection in w.each(Connection):
        if connection.feed.paused and not w.get(Gateway, at[0]).is_asleep:
            yield Step("device {1}'s socket at gateway {0} drains", drain_socket, at)


# ---- workers


def _of_workers(w: World) -> Steps:
    for (lane, number), worker in w.each(Worker):
        if worker.position is None:
            continue
        yield Step("{0} WORKER {1} CRASHES", crash_worker, (lane, number), "worker crashes")
        for window in worker.windows[:1]:  # whose turn it is
            for mailbox in packed(window, lane) if worker.copy().may_go_on(window) else ():
                text = "{0} WORKER {1} EMITS OFFSET {2} TO MAILBOX {3} ONLY, AND CRASHES"
                yield Step(text, crash_emitting, (lane, number, window.offset, mailbox), "worker crashes emitting")
        if not worker.is_asleep:
            yield Step("{0} WORKER {1} SLEEPS BEYOND ITS SESSION", put_worker_to_sleep, (lane, number), "worker sleeps")
        elif w.get(LaneLog, lane).owner == number:
            yield Step("{0} WORKER {1} IS EXPELLED FROM ITS GROUP", expel, (lane, number), "worker is expelled")


def crash_worker(w: World, lane: Lane, number: int) -> None:
    w.put(Worker(), lane, number)
    expel(w, lane, number)


def crash_emitting(w: World, lane: Lane, number: int, offset: int, mailbox: int) -> None:
    produce(w, lane, w.get(Worker, lane, number).window(offset), mailbox)
    crash_worker(w, lane, number)


def put_worker_to_sleep(w: World, lane: Lane, number: int) -> None:
    w.change(Worker, lane, number).is_asleep = True


def wake_worker(w: World, lane: Lane, number: int) -> None:
    worker = w.change(Worker, lane, number)
    worker.is_asleep, worker.is_silent = False, True


def expel(w: World, lane: Lane, number: int) -> None:
    if w.get(LaneLog, lane).owner == number:
        w.change(LaneLog, lane).owner = None


# ---- gateways


def _of_gateways(w: World) -> Steps:
    for number, gateway in w.each(Gateway):
        if gateway.lease is None or not w.scenario.befalls(number):
            continue
        yield Step("GATEWAY {0} CRASHES", crash_gateway, (number,), "gateway crashes")
        if not gateway.is_cut_off:
            yield Step("GATEWAY {0} IS CUT OFF FROM MONGODB", cut_off_gateway, (number,), "gateway is cut off")
        if gateway.notes and gateway.notes.wanted and reaches_mongodb(w, gateway):
            yield Step("A SESSION WRITE OF GATEWAY {0} TIMES OUT", time_out, (number,), "session write times out")
        if not gateway.is_asleep:
            yield Step("GATEWAY {0} SLEEPS BEYOND ITS LEASE", put_gateway_to_sleep, (number,), "gateway sleeps")
        elif any(_may_overrun(w, gateway.lease.mailbox, *position) for position in gateway.positions.items()):
            yield Step("THE MAILBOX OF GATEWAY {0} OVERRUNS ITS RETENTION", overrun, (number,), "mailbox overruns")


def _may_overrun(w: World, mailbox: int, name: str, position: int) -> bool:
    return position < w.get(MailboxLog, mailbox, name).end


def crash_gateway(w: World, number: int) -> None:
    close_all(w, number)
    w.put(Gateway(w.get(Gateway, number).life + 1), number)


def cut_off_gateway(w: World, number: int) -> None:
    w.change(Gateway, number).is_cut_off = True


def reconnect_gateway(w: World, number: int) -> None:
    w.change(Gateway, number).is_cut_off = False


def time_out(w: World, number: int) -> None:
    write_sessions(w, number, times_out=True)


def put_gateway_to_sleep(w: World, number: int) -> None:
    w.change(Gateway, number).is_asleep = True


def wake_gateway(w: World, number: int) -> None:
    w.change(Gateway, number).is_asleep = False


def overrun(w: World, number: int) -> None:
    gateway = w.get(Gateway, number)
    assert gateway.lease is not None
    for name in gateway.positions:
        log = w.change(MailboxLog, gateway.lease.mailbox, name)
        log.start, log.records = log.end, ()


# ---- devices


def _of_devices(w: World) -> Steps:
    for number, device in w.each(Device):
        if not w.scenario.befalls(number):
            continue
        if device.gateway is not None:
            yield Step("THE LINK OF DEVICE {0} IS CUT", hang_up, (number,), "link is cut")
            yield Step("DEVICE {0} LEAVES FOR GOOD", go, (number,), "device leaves")
            yield Step("DEVICE {0} ACKNOWLEDGES WHAT IT WAS NEVER SENT", lie, (number,), "device lies")
        elif device.since:
            yield Step("DEVICE {0} FORGETS ITS CURSORS", forget, (number,), "device forgets")
    for at, connection in w.each(Connection):
        if not connection.feed.paused and w.scenario.befalls(at[1]):
            yield Step("DEVICE {1}'S SOCKET AT GATEWAY {0} FILLS", fill_socket, at, "socket fills")


def go(w: World, number: int) -> None:
    hang_up(w, number)
    w.change(Device, number).is_gone = True


def lie(w: World, number: int) -> None:
    device = w.get(Device, number)
    assert device.gateway is not None
    feed = w.change(Connection, device.gateway, number).feed
    try:
        feed.ack(feed.tag + 1)
    except ProtocolViolation:
        go(w, number)
    else:
        raise Violation(f"device {number} acknowledges what it was never sent")


def forget(w: World, number: int) -> None:
    device = w.change(Device, number)
    device.cursors, device.since = {}, None


def fill_socket(w: World, gateway: int, number: int) -> None:
    w.change(Connection, gateway, number).feed.paused = True


def drain_socket(w: World, gateway: int, number: int) -> None:
    w.change(Connection, gateway, number).feed.paused = False
    feed_on(w, gateway, number)


# ---- MongoDB and the clock


def _of_all(w: World) -> Steps:
    if weather(w).mongodb:
        yield Step("MONGODB IS AWAY", take_mongodb_away, (), "mongodb is away")
    for id_, stored in w.get(Collection, "notifications").documents.items():
        if stored["state"] == "pending":
            name = w.scenario.names([str(id_)])
            yield Step(f"{name} IS RETRACTED", retract, (id_,), "one is retracted")
    if weather(w).mongodb:
        for id_ in w.scenario.by_id:
            name = w.scenario.names([id_])
            yield Step(f"{name} IS RETRACTED AT ONCE", retract_at_once, (id_, "s"), "one is retracted at once")
            yield Step(f"A STRANGER RETRACTS {name}", retract_at_once, (id_, "stranger"), "a stranger retracts")
    if _stream_keeps_up(w):
        yield Step("AN HOUR PASSES", pass_hour, (), "hour passes")


def _stream_keeps_up(w: World) -> bool:
    """Margins are for delays of minutes: an hour passes only while workers have done what they have begun."""
    is_idle = all(not worker.windows and not worker.tracker.committable() for _, worker in w.each(Worker))
    return is_idle and not w.get(Receipts, 0).waiting


def retract(w: World, id_: str) -> None:
    change = Change(Op.RETRACTED, (id_,), now(w))
    answered(receipt_updates.fold(w.change(Collection, "notifications").driver, [change]))


def retract_at_once(w: World, id_: str, sender: str) -> None:
    """Wherever it is: nobody has looked."""
    retraction = Retraction(id_, {sender}, now(w))
    answered(early_retractions.note(w.change(Collection, "notifications").driver, [retraction], now(w)))


def take_mongodb_away(w: World) -> None:
    w.change(Weather, 0).mongodb = False
    for (_, number), connection in w.each(Connection):
        if connection.is_open and connection.is_present:
            w.change(Device, number).was_there = True


def bring_mongodb_back(w: World) -> None:
    w.change(Weather, 0).mongodb = True
    for number, device in w.each(Device):
        if device.was_there:
            w.change(Device, number).was_there = False


def pass_hour(w: World) -> None:
    w.change(Weather, 0).hours += 1
