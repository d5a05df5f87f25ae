"""How explorations begin: gateways serve, workers have their partitions, all is published."""

from clarion.contracts.times import rfc3339
from tests.model.steps.connection_steps import arrive, finish_read, start_read, write_sessions
from tests.model.steps.device_steps import connect
from tests.model.steps.lease_steps import acquire, fence, serve
from tests.model.steps.stream_steps import assign
from tests.model.world.device import Device
from tests.model.world.environment import Weather, now
from tests.model.world.gateway import Connection, Gateway
from tests.model.world.kafka import LaneLog, MailboxLog, Receipts, topic
from tests.model.world.mongo import Collection
from tests.model.world.scenario import Scenario
from tests.model.world.worker import Worker
from tests.model.world.world import World


def beginning(scenario: Scenario) -> World:
    """Gateways beyond the mailboxes, and workers beyond the first, wait for their turn."""
    w = World(scenario)
    w.put(Weather(dict(scenario.faults)), 0)
    w.put(Receipts(), 0)
    w.put(Collection(("owner", "epoch")), "mailboxes")
    w.put(Collection(("sequence",)), "sessions")
    w.put(Collection(("state", "ord", "delivered_at", "retracted_by", "unannounced", "late")), "notifications")
    for lane in scenario.lanes:
        w.put(LaneLog(), lane)
        for number in range(scenario.workers):
            w.put(Worker(), lane, number)
        for mailbox in range(scenario.mailboxes):
            w.put(MailboxLog(), mailbox, topic(lane))
    for number, user in enumerate(scenario.devices):
        w.put(Device(user), number)
    for number in range(scenario.gateways):
        w.put(Gateway(), number)
        if number < scenario.mailboxes:
            acquire(w, number, number)
            fence(w, number)
            serve(w, number)
    for lane in scenario.lanes:
        assign(w, lane, 0)
    if scenario.is_settled:
        for number in range(len(scenario.devices)):
            _settle(w, number)
    return w


def _settle(w: World, number: int) -> None:
    """A device has been at home for a while, and was pinged."""
    connect(w, number, number)
    write_sessions(w, number)
    arrive(w, number, number)
    while w.get(Connection, number, number).feed.next_read():
        start_read(w, number, number)
        finish_read(w, number, number)
    w.change(Device, number).since = rfc3339(now(w))
