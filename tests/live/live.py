"""What the actions act on."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Receipt
from clarion.settings import Settings
from clarion.store.driver.database import Database
from services.gateway.client.connection import Connection
from tests.live.device import LiveDevice
from tests.live.gates import WITHIN_S
from tests.live.gateway import LiveGateway
from tests.live.schedules import Schedule
from tests.live.worker import Worker

SURE_S: Final = 5.0  # for what is certain to come, on a machine that is busy


class NotThere(Exception):
    """The schedule asks something of a connection that the live system does not have."""


@dataclass(slots=True)
class Live:
    """The live system while a schedule is performed. `links` are the connections as gateways have them, by place."""

    settings: Settings
    stored: Database
    schedule: Schedule
    slowness: asyncio.Event  # set while MongoDB answers nobody
    receipts: Any  # a consumer of the topic
    admin: Any
    workers: dict[tuple[Lane, int], Worker]
    gateways: dict[int, LiveGateway]
    devices: dict[int, LiveDevice]
    make_worker: Callable[[Lane], Worker]
    links: dict[tuple[int, int], tuple[Connection, AsyncExitStack]] = field(
        default_factory=dict[tuple[int, int], tuple[Connection, AsyncExitStack]]
    )
    owners: dict[Lane, int] = field(default_factory=dict[Lane, int])  # the worker that has the lane's partition
    at: dict[int, int] = field(default_factory=dict[int, int])  # each device's gateway
    refused: list[str] = field(default_factory=list[str])
    differs: list[str] = field(default_factory=list[str])  # from the model
    unfolded: list[Receipt] = field(default_factory=list[Receipt])  # on Kafka and not folded yet
    folded: set[str] = field(default_factory=set[str])

    @property
    def within_s(self) -> float:
        """For what a step lets through to be asked for; what is not, refuses it."""
        return SURE_S if self.schedule.is_lawful else WITHIN_S

    def owner(self, lane: Lane) -> Worker:
        return self.workers[lane, self.owners.get(lane, 0)]

    def connection(self, number: int, device: int) -> Connection:
        if (number, device) not in self.links:
            raise NotThere
        return self.links[number, device][0]

    async def drop(self, place: tuple[int, int]) -> None:
        _, stack = self.links.pop(place)
        await stack.aclose()
        gateway, device = place
        if self.at.get(device) == gateway:
            del self.at[device]
