"""What devices do: connect, fresh or with their cursors; handle frames and say so; give up on a silent gateway."""

from clarion.client.subscribing.cursor_store import Position
from clarion.client.subscribing.progress import Progress
from clarion.contracts import order, times
from clarion.contracts.api.frames import Received, Resume
from services.gateway.access.resume import take_over
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import FRESH_MARGIN, Feed
from tests.model.steps.connection_steps import arrive, look_up
from tests.model.steps.step import Step, Steps
from tests.model.world.device import Device
from tests.model.world.environment import is_calm, now
from tests.model.world.gateway import Connection, Gateway, connections
from tests.model.world.mongo import Collection
from tests.model.world.scenario import Violation
from tests.model.world.world import World


def steps(w: World) -> Steps:
    for number, device in w.each(Device):
        if device.gateway is not None:
            if w.get(Connection, device.gateway, number).down:
                yield Step("device {0} handles a frame", handle, (number,))
            elif w.get(Gateway, device.gateway).is_asleep:
                yield Step("device {0} hears nothing, and closes", hang_up, (number,))
        elif not device.is_gone:
            text = "device {0} resumes at gateway {1}" if device.since else "device {0} comes fresh to gateway {1}"
            for gateway, there in w.each(Gateway):
                is_open = there.notes and not there.is_asleep and not w.has(Connection, gateway, number)
                if is_open and (gateway == number or not w.scenario.at_home):
                    yield Step(text, connect, (number, gateway))


def connect(w: World, number: int, at: int) -> None:
    """In the room at once; in the session batch; the store is read when that is written."""
    device, gateway = w.change(Device, number), w.change(Gateway, at)
    assert gateway.notes is not None
    feed = Feed(opened=now(w), since=now(w))
    feed._lanes = {lane: feed._lanes[lane] for lane in w.scenario.lanes}
    cursors = take_over(feed, Resume(dict(device.cursors), device.since)).cursors
    has_sibling = any(connection.user == device.user for _, connection in connections(w, at))
    device.gateway = at
    if feed.fresh:
        device.exempt |= _acknowledged_before(w, feed)
    w.put(Connection(device.user, feed, cursors, asked=feed.look_back()), at, number)
    if has_sibling and not w.keeps("D-session-each"):
        arrive(w, at, number)
        return
    gateway.notes.note(device.user, True)
    if not w.keeps("D-session-first"):
        arrive(w, at, number)
    if not w.keeps("D-ask-after-session"):
        look_up(w, at, number)


def _acknowledged_before(w: World, feed: Feed) -> set[str]:
    stored = w.get(Collection, "notifications").documents.values()
    return {one["_id"] for one in stored if one.get("delivered_at", feed.opened) < feed.opened - FRESH_MARGIN}


def handle(w: World, number: int) -> None:
    """By the SDK's own rules, all of a frame at once. Raises `Violation` for a repeat that nothing explains."""
    device = w.change(Device, number)
    assert device.gateway is not None
    connection = w.change(Connection, device.gateway, number)
    (tag, items, since), *rest = connection.down
    connection.down = tuple(rest)
    for item in items:
        if item.id in device.received - device.early and is_calm(w):
            raise Violation(f"{w.scenario.names([item.id])} comes to device {number} again, and nothing went wrong")
    progress = Progress(Position(device.cursors, device.since))
    if tag is None:
        progress.ping(times.rfc3339(since))
    else:
        progress.batch(tag, map(_received, items), times.rfc3339(since))
    progress.handled()
    while progress.take():
        progress.handled()
    device.cursors, device.since = dict(progress.position.cursors), progress.position.since
    connection.up = progress.to_acknowledge() or connection.up
    device.received |= {item.id for item in items}
    device.early |= {item.id for item in items if not item.stored}


def _received(item: OutgoingItem) -> Received:
    place = order.unpack(item.ord) if item.stored else None
    return Received(item.id, "model", "", "s", {}, "", item.lane, place, unstored=not item.stored)


def hang_up(w: World, number: int) -> None:
    """Its side is closed; the gateway may take a while to notice."""
    device = w.change(Device, number)
    assert device.gateway is not None
    connection = w.change(Connection, device.gateway, number)
    connection.is_open, connection.down, connection.up = False, (), 0
    device.gateway, device.was_there = None, False
