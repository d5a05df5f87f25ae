"""Where a lane worker's code is held: where it asks MongoDB and Kafka, and where it waits for time."""

import asyncio
from typing import Any

import pytest

from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Unstored
from services.stream.lanes import lane, urgent
from services.stream.lanes.lane import LaneWork
from tests.live.actor import ACTOR, OFFSET


def install(patch: pytest.MonkeyPatch, slowness: asyncio.Event) -> None:
    """Hold every worker that has an actor. `slowness` is set while MongoDB takes too long."""
    store, route, emit, send = lane.store, LaneWork.route, LaneWork.emit, LaneWork.send

    async def held_store(*args: Any) -> Any:
        if (actor := ACTOR.get()) is None:
            return await store(*args)
        async with actor.gates.at(("store", OFFSET.get())):
            return await store(*args)

    async def held_route(work: LaneWork, outcome: Any) -> Any:
        if (actor := ACTOR.get()) is None:
            return await route(work, outcome)
        async with actor.gates.at(("route", OFFSET.get())):
            return await route(work, outcome)

    async def held_emit(work: LaneWork, *args: Any) -> None:
        if actor := ACTOR.get():
            await actor.gates.hold(("emit", OFFSET.get()))
        await emit(work, *args)

    async def held_send(work: LaneWork, records: Any) -> None:
        actor = ACTOR.get()
        # what comes late is sent so as well, but beside its twin in the lane's order
        found = [_early(record["value"]) for record in records]
        early = {item.id for items in found for item in items} if all(found) else set[str]()
        if actor is None:
            await send(work, records)
        elif early:
            async with actor.gates.at("early"):
                await send(work, records)
                actor.early |= early
        elif actor.only_mailbox is None:
            await send(work, records)
        else:
            await send(work, [record for record in records if record["partition"] == actor.only_mailbox])
            actor.has_emitted.set()
            await asyncio.Event().wait()  # it crashes here

    patch.setattr(lane, "store", held_store)
    patch.setattr(LaneWork, "route", held_route)
    patch.setattr(LaneWork, "emit", held_emit)
    patch.setattr(LaneWork, "send", held_send)
    patch.setattr(urgent, "asyncio", Patience(slowness))


def _early(value: bytes) -> list[Any]:
    record = deliveries.decode(value)
    return list(record.items) if isinstance(record, Unstored) else []


class Patience:
    """asyncio for the urgent lane: `wait` with a timeout gives up when MongoDB is said to be slow, and not by time."""

    def __init__(self, slowness: asyncio.Event) -> None:
        self._slowness = slowness

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait(self, asking: list[Any], timeout: float | None = None) -> Any:  # noqa: ASYNC109 - asyncio's own
        if timeout is None:
            return await asyncio.wait(asking)
        slow = asyncio.ensure_future(self._slowness.wait())
        try:
            return await asyncio.wait([*asking, slow], return_when=asyncio.FIRST_COMPLETED)
        finally:
            slow.cancel()
