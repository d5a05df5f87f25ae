"""Thousands of calls at once on one client of the SDK: all are answered, over a few connections."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import msgspec
import pytest

from clarion.client import HttpPublisher, Inbox, NotOpen, Publisher, Refused, Subscriber, Unavailable
from clarion.client import http as http_module
from clarion.client.publishing import publish_queue
from clarion.client.publishing.http_publisher import HttpTransport
from clarion.client.publishing.publish_queue import REQUESTS
from clarion.client.tokens import TokenSource

ID = "01890000-0000-7000-8000-000000000001"


class Server:
    """Ingest's and the inbox's doors over real connections. Of a batch `per_try` lines are taken at a time."""

    def __init__(self, per_try: int = 1_000) -> None:
        self.per_try = per_try
        self.accepted: list[str] = []
        self.requests = self.open = self.most_open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                [length] = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")] or [0]
                status, body = self._answer(lines[0].split()[1], await reader.readexactly(length))
                self.requests += 1
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        except asyncio.IncompleteReadError:
            self.open -= 1
            writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path.startswith("/v1/inbox"):
            return 200, b'{"unread": 3}'
        if not path.endswith("/batch"):
            return 202, b'{"id": "%s"}' % self._accept(body).encode()
        found: list[dict[str, object]] = []
        for number, line in enumerate(body.split(b"\n"), 1):
            if line and b"bad" in line:
                found.append(
                    {"line": number, "status": 422, "errors": [{"pointer": "/type", "code": "c", "detail": "d"}]}
                )
            elif line and len(found) < self.per_try:
                found.append({"line": number, "status": 202, "id": self._accept(line)})
            elif line:
                found.append(
                    {"line": number, "status": 429, "errors": [{"pointer": "", "code": "c", "detail": "rate"}]}
                )
        return 200, b"\n".join(map(msgspec.json.encode, found))

    def _accept(self, line: bytes) -> str:
        self.accepted.append(msgspec.json.decode(line)["recipient"])
        return self.accepted[-1]


@asynccontextmanager
async def serving(server: Server) -> AsyncGenerator[str]:
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1_000) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        while server.open:  # the client has hung up, which is still to be seen
            await asyncio.sleep(0.001)


async def publish(publisher: Publisher, number: int, **more: str) -> str:
    return await publisher.publish(recipient=f"u{number}", type="t", message="hi", **more)  # pyright: ignore[reportArgumentType]


async def test_ten_thousand_published_at_once_are_accepted() -> None:
    server = Server(per_try=400)
    async with serving(server) as url, Publisher.http(url, token="t") as publisher, asyncio.timeout(25):
        ids = await asyncio.gather(*(publish(publisher, number) for number in range(10_000)))
    assert ids == [f"u{number}" for number in range(10_000)]
    assert sorted(server.accepted) == sorted(ids), "each is accepted once"
    assert server.requests < 100
    assert server.most_open <= REQUESTS


async def test_hundreds_under_keys_of_their_own_and_of_the_inbox_take_turns() -> None:
    server = Server()
    async with (
        serving(server) as url,
        Publisher.http(url, token="t") as publisher,
        Inbox(url, token="t") as inbox,
        asyncio.timeout(25),
    ):
        await asyncio.gather(*(publish(publisher, number, idempotency_key=f"k{number}") for number in range(300)))
        assert server.most_open <= http_module.REQUESTS
        assert await asyncio.gather(*(inbox.unread_count() for _ in range(300))) == [3] * 300
        assert server.most_open <= 2 * http_module.REQUESTS
    assert server.requests == 600


async def test_one_that_is_refused_harms_none_that_is_sent_with_it() -> None:
    async with serving(Server()) as url, Publisher.http(url, token="t") as publisher:
        found = await asyncio.gather(
            *(publisher.publish(recipient=f"u{n}", type="bad" if n % 5 == 4 else "t", message="") for n in range(50)),
            return_exceptions=True,
        )
    refused = [one for one in found if isinstance(one, Refused)]
    assert len(refused) == 10
    assert "/type" in str(refused[0])
    assert [one for one in found if isinstance(one, str)] == [f"u{n}" for n in range(50) if n % 5 != 4]


def hanging(deadline_s: float) -> HttpPublisher:
    async def never(request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    return HttpPublisher(
        HttpTransport("http://ingest", TokenSource("t", None), deadline_s, through=httpx2.MockTransport(never))
    )


async def test_an_error_says_whose_limit_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_queue, "TRY_S", 0.05)
    async with hanging(0.1) as publisher:
        waiting: list[asyncio.Task[str]] = []
        for number in range(REQUESTS):
            waiting.append(asyncio.create_task(publish(publisher, number)))
            await asyncio.sleep(0.001)
        with pytest.raises(
            Unavailable, match="4 requests that a publisher may have under way, which is a limit of the SDK"
        ):
            await publish(publisher, 99)
        for task in waiting:
            with pytest.raises(Unavailable, match="the server has not answered yet"):
                await task
    monkeypatch.setattr(http_module, "_REQUEST_S", 0.05)
    async with hanging(0.05) as publisher:
        keyed = [publish(publisher, number, idempotency_key=f"k{number}") for number in range(http_module.REQUESTS + 1)]
        found = await asyncio.gather(*(asyncio.wait_for(one, 0.5) for one in keyed), return_exceptions=True)
    assert "which is a limit of the SDK" in str(found[-1])


async def test_who_gives_up_does_not_stop_the_others() -> None:
    server = Server()
    async with serving(server) as url, Publisher.http(url, token="t") as publisher, asyncio.timeout(5):
        tasks = [asyncio.create_task(publish(publisher, number)) for number in range(40)]
        await asyncio.sleep(0)
        tasks[30].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found.pop(30), asyncio.CancelledError)
    assert all(isinstance(one, str) for one in found)


async def test_what_waits_when_the_publisher_is_closed_says_so() -> None:
    async with hanging(30.0) as publisher:
        waiting = [asyncio.create_task(publish(publisher, number)) for number in range(10)]
        await asyncio.sleep(0.01)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, NotOpen) and "closed" in str(one) for one in found)


# ---- another loop, and after the end


@pytest.mark.parametrize("key", ["", "k"])
async def test_after_its_end_a_client_says_so(key: str) -> None:
    more = {"idempotency_key": key} if key else {}
    async with serving(Server()) as url:
        async with Publisher.http(url, token="t") as publisher, Inbox(url, token="t") as inbox:
            await publish(publisher, 1)
        with pytest.raises(NotOpen, match="this publisher is closed"):
            await publish(publisher, 2, **more)
        with pytest.raises(NotOpen, match="this publisher is closed"):
            await publisher.publish_many([])
        with pytest.raises(NotOpen, match="this inbox is closed"):
            await inbox.unread_count()
        async with publisher:
            assert await publish(publisher, 3, **more) == "u3"


def test_another_event_loop_is_refused_until_it_is_opened_anew_there() -> None:
    server = Server()
    publisher = Publisher.http("http://127.0.0.1:1", token="t", deadline_s=0.0)
    inbox = Inbox("http://127.0.0.1:1", token="t", deadline_s=0.0)

    async def use() -> None:
        with pytest.raises(Unavailable):
            await publish(publisher, 1)
        with pytest.raises(Unavailable):
            await inbox.unread_count()

    asyncio.run(use())

    async def elsewhere() -> None:
        for call in (publish(publisher, 1), publish(publisher, 1, idempotency_key="k"), publisher.status(ID)):
            with pytest.raises(NotOpen, match="this publisher belongs to another event loop"):
                await call
        with pytest.raises(NotOpen, match="this inbox belongs to another event loop"):
            await inbox.page()

    asyncio.run(elsewhere())

    async def anew(publisher: Publisher) -> None:
        async with publisher:
            await asyncio.gather(*(publish(publisher, number) for number in range(50)))

    async def all_of_it() -> None:
        async with serving(server) as url:
            get_token = slow_token
            shared = Publisher.http(url, get_token=get_token)
            await anew(shared)
            await asyncio.to_thread(asyncio.run, anew(shared))

    asyncio.run(all_of_it())
    assert len(server.accepted) == 100


async def slow_token() -> str:
    await asyncio.sleep(0.01)
    return "t"


async def test_a_kafka_publisher_that_is_not_open_says_so() -> None:
    publisher = Publisher.kafka("127.0.0.1:1", sender="svc", deadline_s=0.1)
    with pytest.raises(NotOpen, match="not open yet"):
        await publish(publisher, 1)
    with pytest.raises(Unavailable):
        await publisher.__aenter__()
    with pytest.raises(NotOpen, match="closed"):
        await publish(publisher, 1)


async def test_a_subscriber_that_is_not_open_says_so() -> None:
    subscriber = Subscriber("http://127.0.0.1:1", token="t")
    with pytest.raises(NotOpen, match="not open yet"):
        await anext(subscriber)
    async with subscriber:
        with pytest.raises(NotOpen, match="used already"):
            await subscriber.__aenter__()
        await asyncio.to_thread(asyncio.run, _elsewhere(subscriber))
    with pytest.raises(StopAsyncIteration):
        await anext(subscriber)
    with pytest.raises(NotOpen, match="this subscriber is closed"):
        await subscriber.read([ID])
    with pytest.raises(NotOpen, match="this inbox is closed"):
        await subscriber.inbox()


async def _elsewhere(subscriber: Subscriber) -> None:
    with pytest.raises(NotOpen, match="this subscriber belongs to another event loop"):
        await anext(subscriber)
    with pytest.raises(NotOpen, match="this subscriber belongs to another event loop"):
        await subscriber.read([ID])
