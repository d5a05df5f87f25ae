"""A gateway's whole process, in this one: its own lease, mailbox, socket and all, held at its gates."""

import asyncio
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Final

import msgspec

from clarion.process import Process
from clarion.settings import Settings
from clarion.telemetry.health import Health
from services.gateway import main as gateway_main
from services.gateway.client.connection import Connection
from tests.live.actor import ACTOR, Actor
from tests.live.gates import end, soon
from tests.subprocesses import free_port

STARTS_WITHIN_S: Final = 10.0


@dataclass(slots=True)
class LiveGateway:
    settings: Settings
    actor: Actor
    is_asleep: bool = False
    is_cut_off: bool = False
    _running: "asyncio.Task[None] | None" = field(default=None)

    async def start(self) -> None:
        """Until it looks for a mailbox."""
        port = free_port()
        self.settings = msgspec.structs.replace(self.settings, port=port, gateway_url=f"http://127.0.0.1:{port}")
        context = copy_context()
        context.run(ACTOR.set, self.actor)
        process = Process(self.settings, Health("gateway"))
        self._running = asyncio.create_task(gateway_main.main(process), context=context)
        assert await self.actor.gates.comes("look", STARTS_WITHIN_S)

    @property
    def is_serving(self) -> bool:
        return self.actor.gateway is not None and self.actor.gateway.held.reader is not None

    @property
    def mailbox(self) -> int | None:
        gateway = self.actor.gateway
        return gateway.held.reader.lease.mailbox if gateway and gateway.held.reader else None

    def clients(self) -> set[Connection]:
        return set(self.actor.gateway._clients) if self.actor.gateway else set()

    async def serves(self, yes: bool, within_s: float) -> bool:
        return await soon(lambda: self.is_serving is yes, within_s)

    async def crash(self) -> None:
        """No lease is given back, no session removed."""
        assert self._running is not None
        await end(self._running)
        for consumer in self.actor.consumers:
            await consumer.stop()
        if self.actor.end_server is not None:
            await self.actor.end_server()
        self.actor.gateway = None
