"""What goes on while servers are restored: every kind of publish, and what users and senders do afterwards."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings

EVERY_S: Final = 0.04
_SOON: Final = timedelta(seconds=3)
_AFTER_S: Final = 1.0  # so long after it was published something is read, archived or taken back
_ANSWER_S: Final = 8.0
_TRIES: Final = 100


@dataclass(slots=True)
class Traffic:
    """By id, whose each accepted notification is; and what was done to which. `bad` counts records that must die.

    `is_seen` tells whether a device has a notification: its user marks no other.
    """

    live: Settings
    users: list[str]
    is_seen: Callable[[str], bool]
    accepted: dict[str, str] = field(default_factory=dict[str, str])
    scheduled: set[str] = field(default_factory=set[str])
    retracted: set[str] = field(default_factory=set[str])
    read: set[str] = field(default_factory=set[str])
    archived: set[str] = field(default_factory=set[str])
    unsure: set[str] = field(default_factory=set[str])  # ids whose mark may have been made or not
    began: datetime = field(default_factory=times.now)
    bad: int = 0
    _doing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @asynccontextmanager
    async def flowing(self) -> AsyncGenerator[None]:
        """While the block runs; afterwards everything that was begun is answered. What fails comes out."""
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=_ANSWER_S) as http,
            clients.producer(self.live) as producer,
        ):
            flowing = asyncio.create_task(self._flow(http, producer), name="traffic")
            try:
                yield
            finally:
                flowing.cancel()
                ended = await asyncio.gather(flowing, *self._doing, return_exceptions=True)
        for failed in ended:
            if isinstance(failed, Exception):
                raise failed

    async def _flow(self, http: httpx2.AsyncClient, producer: AIOKafkaProducer) -> None:
        for number in itertools.count():
            self._do(self._one(http, number))
            if number % 20 == 7:
                self._do(self._poison(producer))
            await asyncio.sleep(EVERY_S)

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._doing.add(task)
        task.add_done_callback(lambda done: None if done.cancelled() or done.exception() else self._doing.discard(done))

    async def _one(self, http: httpx2.AsyncClient, number: int) -> None:
        """Publish one. Of each ten, one is for later, and one each is taken back, read or archived after a while."""
        user, kind = self.users[number % len(self.users)], number // len(self.users) % 10
        body: dict[str, Any] = {"recipient": user, "type": "t", "message": f"number {number}"}
        body["priority"] = LANES[number % len(LANES)]
        if kind == 1:
            body["deliver_at"] = times.rfc3339(times.now() + _SOON)
        answer = await self._ask(http.post, f"{self.live.ingest_url}/v1/notifications", self._token(), json=body)
        if answer is None:
            return
        id_ = answer.json()["id"]
        self.accepted[id_] = user
        if kind == 1:
            self.scheduled.add(id_)
        if kind != 3:
            await asyncio.sleep(_AFTER_S)
        if kind in (2, 3):
            url = f"{self.live.ingest_url}/v1/notifications/{id_}"
            await self._mark(id_, self.retracted, await self._ask(http.delete, url, self._token()))
        elif kind in (4, 5) and await self._comes(id_):
            verb, done = (("read", self.read), ("archive", self.archived))[kind - 4]
            url, token = f"{self.live.gateway_urls[0]}/v1/inbox/{verb}", mint(self.live, sub=user, scope=SUBSCRIBE)
            answer = await self._ask(http.post, url, token, json={"ids": [id_]})
            await self._mark(id_, done, answer)

    async def _comes(self, id_: str) -> bool:
        """Whether a device has it in time."""
        for _ in range(_TRIES):
            if self.is_seen(id_):
                return True
            await asyncio.sleep(0.1)
        return False

    async def _mark(self, id_: str, done: set[str], answer: httpx2.Response | None) -> None:
        (self.unsure if answer is None else done).add(id_)

    def _token(self) -> str:
        return mint(self.live, sub="tests", scope=PUBLISH)

    async def _ask(
        self, method: Callable[..., Awaitable[httpx2.Response]], url: str, token: str, **more: Any
    ) -> httpx2.Response | None:
        """The answer of 2xx; None while a server is away, when nothing was promised."""
        try:
            answer = await method(url, headers={"Authorization": f"Bearer {token}"}, **more)
        except httpx2.TransportError:
            return None
        if answer.status_code == 503:
            return None
        assert answer.is_success, f"{url}: {answer.status_code} {answer.text}"
        return answer

    async def _poison(self, producer: AIOKafkaProducer) -> None:
        """A record that nobody can process, straight to Kafka."""
        topic = Names(self.live.prefix).notifications(LANES[self.bad % len(LANES)])
        value = f'{{"v": 1, "recipient": "{self.users[0]}", "n": {self.bad}}}'.encode()
        await producer.send_and_wait(topic, value, key=self.users[0].encode())
        self.bad += 1
