"""Proxies in the middle of a deploy: for a while they redirect, refuse, and show pages of their own."""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from clarion.contracts.ids import new_id
from clarion.settings import Settings
from tests.faults.gateway import devices as watched
from tests.faults.gateway.devices import Device
from tests.faults.strangers import librdkafka, records
from tests.faults.strangers.librdkafka import Sent
from tests.proxy import Proxy, proxied

_ANSWERS: Final[Sequence[tuple[str, str]]] = (
    ("301 Moved Permanently", "location: https://inner.example/v1/ws\r\n"),
    ("308 Permanent Redirect", "location: /v1/ws/\r\n"),
    ("302 Found", "location: /login\r\n"),
    ("400 Bad Request", ""),
    ("404 Not Found", ""),
    ("200 OK", ""),
    ("429 Too Many Requests", "retry-after: 1\r\n"),
    ("502 Bad Gateway", ""),
    ("503 Service Unavailable", "retry-after: soon\r\n"),
)
_PAGE: Final = "<!doctype html><title>Be right back</title>"
_EACH: Final = 5
_WITHIN_S: Final = 60.0


class Deploying(Proxy):
    """Gives `answers` instead of what the server would say, one a connection, as long as there are any."""

    answers: list[tuple[str, str]]

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        if not self.answers:
            return b""
        status, headers = self.answers.pop()
        try:
            await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        head = f"HTTP/1.1 {status}\r\n{headers}content-type: text/html\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: {len(_PAGE)}\r\n\r\n{_PAGE}".encode())
        return None


async def deploy(settings: Settings, ports: Sequence[int], chance: random.Random, sent: Sent) -> Device:
    """A device behind such a proxy, which has all it is owed in the end. Raises when it gives up."""
    device = Device(f"detour-{new_id()}")
    async with proxied("127.0.0.1", chance.choice(ports), Deploying) as proxy:
        proxy.answers = []
        url = f"http://127.0.0.1:{proxy.port}"
        async with watched.running([device], settings, [url]):
            for status in chance.sample(_ANSWERS, 3):
                proxy.answers = [status]
                proxy.drop()
                found = [records.valid(chance, device.user) for _ in range(_EACH)]
                await librdkafka.send(settings, found, sent)
                await _handed(device, {one.id for one in found})
    return device


async def _handed(device: Device, ids: set[str]) -> None:
    async with asyncio.timeout(_WITHIN_S):
        while not ids <= {one.id for one in device.handed}:
            await asyncio.sleep(0.1)
