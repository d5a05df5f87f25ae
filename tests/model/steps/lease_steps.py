"""What gateways do about their mailbox: lease it, fence off whoever had it, sweep sessions, find that it is lost."""

from clarion.store import mailboxes, sessions
from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from services.gateway.mailbox.lease import ObservedLeases
from services.gateway.mailbox.session_writer import SessionNotes
from tests.model.steps.step import Step, Steps
from tests.model.world.device import Device
from tests.model.world.environment import has_clock
from tests.model.world.gateway import UNKNOWN, Connection, Gateway, connections, reaches_mongodb, settled_end
from tests.model.world.kafka import Delivery, MailboxLog, topic
from tests.model.world.mongo import Collection, answered
from tests.model.world.world import World


def steps(w: World) -> Steps:
    for number, gateway in w.each(Gateway):
        if gateway.is_asleep:
            continue
        if gateway.lease is None:
            if reaches_mongodb(w, gateway):
                for mailbox in _candidates(w):
                    yield Step("gateway {0} leases mailbox {1}", acquire, (number, mailbox))
            continue
        if not gateway.positions:
            yield Step("gateway {0} writes its fence, and has a position", fence, (number,))
        elif gateway.notes is None and not w.keeps("D-lease-confirmed"):
            yield Step("gateway {0} serves", serve, (number,))
        elif gateway.notes is None and reaches_mongodb(w, gateway) and _is_held(w, gateway.lease):
            yield Step("gateway {0} confirms its lease, and serves", serve, (number,))
        if not reaches_mongodb(w, gateway):
            if gateway.notes and not w.keeps("D-outage-stays"):
                yield Step("gateway {0} closes everybody, since its lease ran out", lose, (number,))
        elif not _is_held(w, gateway.lease):
            if w.keeps("D-owner-closes"):
                yield Step("gateway {0} finds that its lease is lost, and closes everybody", lose, (number,))
        elif gateway.notes and not gateway.has_swept and _has_to_sweep(w, gateway.lease):
            yield Step("gateway {0} sweeps the sessions of earlier owners", sweep, (number,))
        elif gateway.notes:
            for mailbox in _abandoned(w, gateway.lease):
                yield Step("gateway {0} clears up mailbox {1}, which nobody renews", clear_up, (number, mailbox))
            if _is_left_over(w):
                yield Step("gateway {0} sweeps what was written after a sweep", sweep_again, (number,))


def _candidates(w: World) -> list[int]:
    observed, leases = _looked(w)
    return observed.candidates(w.scenario.mailboxes, leases, TAKE_AFTER_S)


def _abandoned(w: World, held: Lease) -> list[int]:
    """Of which anything is left: what has no sessions is taken as it is by who needs it."""
    observed, _ = _looked(w)
    left = {session["mailbox"] for session in w.get(Collection, "sessions").documents.values()}
    return [n for n in observed.stale(w.scenario.mailboxes, TAKE_AFTER_S) if n != held.mailbox and n in left]


def _looked(w: World) -> tuple[ObservedLeases, dict[int, Lease]]:
    """As a gateway sees them that has looked on for the lease time, while every owner that could has renewed."""
    before = answered(mailboxes.find_all(w.get(Collection, "mailboxes").driver))
    renewing = [
        gateway.lease.mailbox
        for _, gateway in w.each(Gateway)
        if gateway.lease and reaches_mongodb(w, gateway) and _is_held(w, gateway.lease)
    ]
    after = {
        number: Lease(number, lease.owner, lease.epoch, lease.renewals + renewing.count(number))
        for number, lease in before.items()
    }
    observed = ObservedLeases()
    observed.look(before, 0.0)
    observed.look(after, TAKE_AFTER_S)
    return observed, after


def _is_held(w: World, lease: Lease) -> bool:
    document = w.get(Collection, "mailboxes").documents[lease.mailbox]
    return (document["owner"], document["epoch"]) == (lease.owner, lease.epoch)


def _has_to_sweep(w: World, lease: Lease) -> bool:
    return any(
        session["mailbox"] == lease.mailbox and session["epoch"] < lease.epoch
        for session in w.get(Collection, "sessions").documents.values()
    )


def _is_left_over(w: World) -> bool:
    """Whether a session is of nobody who serves, or ever will again."""
    leases = w.get(Collection, "mailboxes").documents
    return any(
        session["epoch"] < (lease := leases[session["mailbox"]])["epoch"] + (not lease["owner"])
        for session in w.get(Collection, "sessions").documents.values()
    )


def acquire(w: World, number: int, mailbox: int) -> None:
    leases, gateway = w.change(Collection, "mailboxes").driver, w.change(Gateway, number)
    owner = f"gateway {number}, life {gateway.life}"
    if seen := answered(mailboxes.find_all(leases)).get(mailbox):
        gateway.lease = answered(mailboxes.take(leases, seen, owner))
    else:
        gateway.lease = answered(mailboxes.create(leases, mailbox, owner))


def fence(w: World, number: int) -> None:
    gateway = w.change(Gateway, number)
    lease = gateway.lease
    assert lease is not None
    for name in {topic(lane): None for lane in w.scenario.lanes}:
        log = w.change(MailboxLog, lease.mailbox, name)
        if w.keeps("D-fence"):
            log.records += (Delivery("fence", lease.epoch),)
        gateway.positions[name] = log.end if w.keeps("D-position-first") else UNKNOWN
        if has_clock(w, number):
            gateway.ends[name] = settled_end(w, log.end)


def serve(w: World, number: int) -> None:
    gateway = w.change(Gateway, number)
    assert gateway.lease is not None
    gateway.notes = SessionNotes(gateway.lease)


def sweep(w: World, number: int) -> None:
    gateway = w.change(Gateway, number)
    assert gateway.lease is not None
    answered(sessions.sweep(w.change(Collection, "sessions").driver, gateway.lease.mailbox, gateway.lease.epoch))
    gateway.has_swept = True


def clear_up(w: World, number: int, mailbox: int) -> None:
    """All in one step: what may come between is what comes between the steps of a gateway that leases it."""
    leases = w.change(Collection, "mailboxes").driver
    lease = answered(
        mailboxes.take(leases, answered(mailboxes.find_all(leases))[mailbox], f"gateway {number} clears up")
    )
    assert lease is not None
    for name in {topic(lane): None for lane in w.scenario.lanes}:
        w.change(MailboxLog, mailbox, name).records += (Delivery("fence", lease.epoch),)
    answered(sessions.sweep(w.change(Collection, "sessions").driver, mailbox, lease.epoch))
    answered(mailboxes.release(leases, lease))


def sweep_again(w: World, number: int) -> None:
    leases = answered(mailboxes.find_all(w.get(Collection, "mailboxes").driver))
    first = {lease.mailbox: lease.epoch + (not lease.owner) for lease in leases.values()}
    answered(sessions.sweep_all(w.change(Collection, "sessions").driver, first))


def lose(w: World, number: int) -> None:
    """Everybody is closed, and a new lease is sought."""
    close_all(w, number)
    gateway = w.get(Gateway, number)
    w.put(Gateway(gateway.life, is_cut_off=gateway.is_cut_off, late=gateway.late), number)


def close_all(w: World, number: int) -> None:
    for device, connection in connections(w, number):
        if connection.is_open:
            w.change(Device, device).gateway = None
        w.remove(Connection, number, device)
