"""A steady load of every kind of notification, as services send them, to users who are there and some who are not."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from clarion.client import HttpPublisher, Lane, Publisher, RequestError, Subscriber
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.gateway import devices
from tests.faults.gateway.devices import Device

RATE: Final = 20.0  # notifications a second
USERS: Final = 12
AWAY: Final = 4
_COMES_S: Final = 1.0
_GOES_S: Final = 4.0
_LANES: Final = (Lane.URGENT, Lane.HIGH, Lane.NORMAL, Lane.LOW, Lane.NORMAL)
_MOST_AT_ONCE: Final = 200  # while ingest does not answer, no more are begun


@dataclass(slots=True)
class Load:
    """Publishes over HTTP while it runs; each user has a device, which acknowledges what it gets."""

    settings: Settings
    accepted: int = 0
    refused: int = 0
    devices: list[Device] = field(default_factory=list[Device])
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        self.devices = [Device(f"user-{n}") for n in range(USERS)]
        token = mint(self.settings, sub="observe", scope=PUBLISH, ttl_s=7_200)
        async with (
            devices.running(self.devices, self.settings, self.settings.gateway_urls),
            Publisher.http(self.settings.ingest_url, token=token) as http,
            Publisher.kafka(self.settings.kafka, sender="observe", prefix=self.settings.prefix) as kafka,
            asyncio.TaskGroup() as tasks,
        ):
            works = [tasks.create_task(self._publish(http, kafka)), tasks.create_task(self._come_and_go())]
            try:
                yield
            finally:
                for work in (*works, *self._under_way):
                    work.cancel()

    async def _come_and_go(self) -> None:
        """Somebody who was away connects for a moment, and is sent what was missed."""
        token = mint(self.settings, sub="away-0", scope=SUBSCRIBE, ttl_s=7_200)
        while True:
            with contextlib.suppress(TimeoutError):
                async with Subscriber(self.settings.gateway_urls, token=token) as coming, asyncio.timeout(_COMES_S):
                    async for _ in coming:
                        pass
            await asyncio.sleep(_GOES_S)

    async def _publish(self, http: HttpPublisher, kafka: Publisher) -> None:
        """Half over HTTP, and half straight to Kafka: the ids of these tell when they were made, for the latencies."""
        for number in itertools.count():
            if len(self._under_way) < _MOST_AT_ONCE:
                task = asyncio.create_task(self._send(http if number // len(_LANES) % 2 else kafka, number))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(1 / RATE)

    async def _send(self, publisher: Publisher, number: int) -> None:
        lane, now = _LANES[number % len(_LANES)], datetime.now(UTC)
        is_away = number % 10 == 0
        user = f"away-{number // 10 % AWAY}" if is_away else f"user-{number % USERS}"
        is_scheduled = number % 20 == 7
        try:
            id_ = await publisher.publish(
                recipient=user,
                type="observe.load",
                message=f"number {number}",
                priority=lane,
                deliver_at=now + timedelta(seconds=2) if is_scheduled else None,
                expires_at=now + timedelta(seconds=30) if is_away else None,
                collapse_key="same" if number % 20 == 10 else None,
            )
            self.accepted += 1
            if number % 20 == 19 and isinstance(publisher, HttpPublisher):
                await publisher.retract(id_)
        except RequestError:
            self.refused += 1  # while a server is away, as ingest says
