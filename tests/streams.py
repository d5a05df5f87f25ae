"""Clients of a gateway's event stream, without an SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests import schema_checks

WITHIN_S = 20


class Listener:
    """What comes on one stream, and acknowledgements for it, to any gateway."""

    def __init__(self, response: httpx2.Response, http: httpx2.AsyncClient) -> None:
        self.response = response
        self.session = ""
        self.token = response.request.headers["Authorization"].removeprefix("Bearer ")
        self._http = http
        self._events = events(response.aiter_lines())

    async def frame(self, op: str) -> dict[str, Any]:
        """The next frame of this kind; others are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                name, data = await anext(self._events)
                assert name == "message", f"closed while waiting for `{op}`: {data}"
                said: dict[str, Any] = json.loads(data)
                schema_checks.check(said)
                if said["op"] == "hello":
                    self.session = said["session"]
                if said["op"] == op:
                    return said

    async def items(self, count: int) -> tuple[list[str], int]:
        """The ids of the next items, in whole batches, and the last tag."""
        ids: list[str] = []
        tag = 0
        while len(ids) < count:
            batch = await self.frame("batch")
            tag = batch["tag"]
            ids += [item["id"] for item in batch["items"]]
        return ids, tag

    async def close_code(self) -> int:
        """What the last event says; then the answer has to end."""
        async with asyncio.timeout(WITHIN_S):
            async for name, data in self._events:
                if name == "close":
                    assert [event async for event in self._events] == []
                    return json.loads(data)["code"]
        raise AssertionError("the stream ended without saying why")

    async def post(self, url: str, tag: int, *, token: str = "", session: str = "") -> httpx2.Response:
        """Acknowledge, by the stream's own token and session unless others are given."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        said = {"session": session or self.session, "tag": tag}
        return await self._http.post(f"{url}/v1/stream/ack", json=said, headers=headers)


async def events(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[str, str]]:
    """The name and the data of each."""
    name, data = "message", ""
    async for line in lines:
        if line:
            field, _, value = line.partition(": ")
            name, data = (value, data) if field == "event" else (name, data + value)
        elif data:
            yield name, data
            name, data = "message", ""


@asynccontextmanager
async def listening(
    url: str, token: str, resume: dict[str, Any] | None = None, *, query: str = "", **headers: str
) -> AsyncGenerator[Listener]:
    if resume:
        query = urlencode({"resume": json.dumps({"op": "resume", **resume})})
    headers |= {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=WITHIN_S) as http,
        http.stream("GET", f"{url}/v1/stream?{query}", headers=headers) as response,
    ):
        yield Listener(response, http)
