"""What everybody is owed in the end, and what must not be."""

from collections.abc import Mapping

from clarion.store import notifications
from tests.live.live import Live


async def wrongs(live: Live) -> list[str]:
    """What must not be, after all."""
    scenario, wrongs = live.schedule.scenario, await missing(live)
    if not await all_committed(live):
        wrongs.append("a lane does not come to its end")
    for number, device in live.devices.items():
        wrongs += [f"device {number}: {wrong}" for wrong in device.wrongs]
        strange = [id_ for id_ in device.received if scenario.by_id[id_][1].recipient != device.user]
        wrongs += [f"device {number} receives {id_}, which is another user's" for id_ in strange]
        if number in live.at and not live.connection(live.at[number], number).feed.is_live:
            wrongs.append(f"the connection of device {number} never goes live")
        if device.repeats and not any(move.is_fault for move in live.schedule.moves) and not live.refused:
            wrongs.append(f"device {number} receives {device.repeats} again, and nothing went wrong")
    received = {id_ for device in live.devices.values() for id_ in device.received}
    states = await _states(live)
    wrongs += [
        f"{id_} was received by nobody and is not pending any more"
        for id_, state in states.items()
        if state in {"delivered", "read"} and id_ not in received
    ]
    return wrongs


async def missing(live: Live) -> list[str]:
    scenario = live.schedule.scenario
    states = await _states(live)
    missing = [f"{id_} is never stored" for id_ in scenario.by_id if id_ not in states]
    for number, device in live.devices.items():
        for id_, (_, entry) in scenario.by_id.items():
            owed = entry.recipient == device.user and states.get(id_) != "retracted" and not device.is_gone
            if owed and id_ not in device.received | device.exempt:
                missing.append(f"device {number} never receives {id_}")
    return missing


async def all_committed(live: Live) -> bool:
    owners = [live.owner(lane) for lane in live.schedule.scenario.lanes]
    return all([await owner.lane.committed() == len(owner.lane.records) for owner in owners])


def all_live(live: Live) -> bool:
    return all(live.connection(gateway, device).feed.is_live for device, gateway in live.at.items())


async def _states(live: Live) -> Mapping[str, str]:
    whole = {"ord": {"$exists": True}}
    found = notifications.collection(live.stored).find(whole, ["state"])
    return {one["_id"]: one["state"] async for one in found}
