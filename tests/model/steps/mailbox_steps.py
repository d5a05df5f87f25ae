"""What a mailbox brings its gateway, and what becomes of it."""

from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START
from tests.model.steps.connection_steps import send
from tests.model.steps.lease_steps import lose
from tests.model.steps.step import Step, Steps
from tests.model.world.environment import now_ms
from tests.model.world.gateway import UNKNOWN, Connection, End, Gateway, connections
from tests.model.world.kafka import MailboxLog
from tests.model.world.world import World


def steps(w: World) -> Steps:
    for number, gateway in w.each(Gateway):
        if gateway.is_asleep or gateway.lease is None or gateway.notes is None:
            continue
        for name, position in gateway.positions.items():
            log = w.get(MailboxLog, gateway.lease.mailbox, name)
            if position == UNKNOWN:
                yield Step("gateway {0} goes to the end of its {1} mailbox", go_to_end, (number, name))
            elif position < log.start:
                yield Step("gateway {0} finds its {1} position outside retention", skip, (number, name))
            elif position < (gateway.ends[name].told if name in gateway.ends else log.end):
                yield Step("gateway {0} reads {1} record {2}", read, (number, name, position))
            elif name in gateway.ends:
                yield from _answers(w, number, name, gateway.ends[name], log.end)


def _answers(w: World, number: int, name: str, end: End, is_now: int) -> Steps:
    """Kafka tells how far a partition goes; that may be on its way for long."""
    if end.coming is not None:
        yield Step("gateway {0} is told that its {1} mailbox ends at {2}", be_told, (number, name, end.coming))
    elif end.told < is_now or end.answered_ms <= now_ms(w):
        yield Step("Kafka tells gateway {0} that its {1} mailbox ends at {2}", tell, (number, name, is_now))


def tell(w: World, number: int, name: str, is_now: int) -> None:
    w.change(Gateway, number).ends[name].coming = is_now


def be_told(w: World, number: int, name: str, told: int) -> None:
    """Two answers in one hour are a moment apart."""
    gateway = w.change(Gateway, number)
    end = gateway.ends[name]
    end.told, end.coming = told, None
    end.answered_ms = max(now_ms(w), min(end.answered_ms, now_ms(w)) + 1)
    if gateway.positions[name] == told:
        end.at_end.look(end.answered_ms, True)


def read(w: World, number: int, name: str, position: int) -> None:
    gateway = w.change(Gateway, number)
    lease = gateway.lease
    assert lease is not None
    log = w.get(MailboxLog, lease.mailbox, name)
    record = log.records[position - log.start]
    gateway.positions[name] = position + 1
    if end := gateway.ends.get(name):
        end.at_end.look(end.answered_ms, end.told == position + 1)
    if record.kind == "fence":
        if record.content > lease.epoch and w.keeps("D-owner-closes"):
            lose(w, number)
    elif record.routed_for in {None, lease.epoch}:
        for id_ in record.content:
            _deliver(w, number, id_, is_early=record.kind == "unstored")


def _deliver(w: World, number: int, id_: str, *, is_early: bool) -> None:
    lane, entry = w.scenario.by_id[id_]
    for device, connection in connections(w, number):
        is_in_room = connection.is_present or w.keeps("D-room-first")
        if connection.user != entry.recipient or not is_in_room:
            continue
        feed = w.change(Connection, number, device).feed
        if is_early:
            push = feed.offer_early([OutgoingItem(id_, lane, START, entry.body, stored=False)])
        else:
            push, _ = feed.offer([OutgoingItem(id_, lane, entry.ord, entry.body)])
        send(w, number, device, push)


def skip(w: World, number: int, name: str) -> None:
    if w.keeps("D-overrun-reads"):
        for device, _ in connections(w, number):
            w.change(Connection, number, device).feed.fall_behind()
    if w.keeps("D-overrun-position"):
        go_to_end(w, number, name)
    else:
        w.change(Gateway, number).positions[name] = UNKNOWN


def go_to_end(w: World, number: int, name: str) -> None:
    gateway = w.change(Gateway, number)
    assert gateway.lease is not None
    gateway.positions[name] = w.get(MailboxLog, gateway.lease.mailbox, name).end
