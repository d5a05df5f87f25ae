"""What the protocol promises: in every state, and where nothing is left to do."""

from collections.abc import Set
from typing import Final

from clarion.contracts import order
from clarion.contracts.lanes import Lane
from tests.model.world.device import Device
from tests.model.world.environment import weather
from tests.model.world.gateway import Connection
from tests.model.world.kafka import LaneLog
from tests.model.world.mongo import Collection
from tests.model.world.scenario import Violation
from tests.model.world.world import World

_RETRACTIONS: Final = {"one is retracted", "one is retracted at once"}


def check(w: World) -> None:
    """In every state. Raises `Violation`."""
    for lane, log in w.each(LaneLog):
        for entry in w.scenario.entries[lane][: log.committed]:
            if not _is_stored(w, entry.id):
                raise Violation(f"{w.scenario.names([entry.id])} is committed and not stored")
    for number, device in w.each(Device):
        seen = device.received | device.exempt | _retracted(w)
        for lane, place in device.cursors.items():
            _check_cursor(w, device, lane, order.pack(*place), seen, f"device {number}")
        if device.gateway is not None:
            connection = w.get(Connection, device.gateway, number)
            coming = {item.id for frame in connection.down for item in frame.items}
            for lane, state in connection.feed._lanes.items():
                _check_cursor(w, device, lane, state.cursor, seen | coming, f"the connection of device {number}")


def _check_cursor(w: World, device: Device, lane: Lane, cursor: int, seen: Set[str], whose: str) -> None:
    for entry in w.scenario.entries.get(lane, ()):
        if entry.recipient == device.user and entry.ord <= cursor and entry.id not in seen:
            raise Violation(f"the cursor of {whose} has passed {w.scenario.names([entry.id])}, which is yet to come")


def _is_stored(w: World, id_: str) -> bool:
    return "ord" in w.get(Collection, "notifications").documents.get(id_, {})


def _retracted(w: World) -> frozenset[str]:
    """By their senders: a stub that only a stranger has made is nothing to anybody else."""
    if _RETRACTIONS.isdisjoint(w.scenario.faults):
        return frozenset()
    stored = w.get(Collection, "notifications").documents.values()
    return frozenset(
        one["_id"] for one in stored if one["state"] == "retracted" and "s" in one.get("retracted_by", ("s",))
    )


def check_end(w: World) -> None:
    """Where nothing is left to do. Raises `Violation`."""
    if weather(w).mongodb:
        _check_retractions(w)
    for id_, (_, entry) in w.scenario.by_id.items():
        name = w.scenario.names([id_])
        devices = [(number, device) for number, device in w.each(Device) if device.user == entry.recipient]
        for number, device in devices:
            if id_ in device.received | device.exempt | _retracted(w):
                continue
            if not weather(w).mongodb:
                if device.was_there and not _is_stored(w, id_):
                    raise Violation(f"device {number} was there all along, and {name} does not go live")
            elif device.gateway is not None:
                raise Violation(f"device {number} reads on and never receives {name}")
        if weather(w).mongodb:
            _check_kept(w, id_, name, [device for _, device in devices])


def _check_retractions(w: World) -> None:
    """Whichever came first, it or what it retracts: the end is the same, but for who has seen it by then."""
    faults, left = w.scenario.faults, weather(w).left
    many = sum(faults.get(kind, 0) - left.get(kind, 0) for kind in _RETRACTIONS)
    found = _retracted(w)
    if bool(many) != bool(found) or len(found) > many:
        raise Violation(f"{many} were retracted by their senders, and {len(found)} are")
    for id_ in found:
        was_met = "unannounced" in w.get(Collection, "notifications").documents[id_]
        shown = [number for number, device in w.each(Device) if id_ in device.received]
        if was_met and shown and "mongodb is away" not in faults:
            raise Violation(f"device {shown[0]} receives {w.scenario.names([id_])}, retracted before it was stored")


def _check_kept(w: World, id_: str, name: str, devices: list[Device]) -> None:
    if not _is_stored(w, id_):
        raise Violation(f"{name} is never stored")
    state = w.get(Collection, "notifications").documents[id_]["state"]
    if state in {"delivered", "read"} and not any(id_ in device.received for device in devices):
        raise Violation(f"{name} was received by nobody and is not pending any more")
