"""Thousands of calls at once on one client of the SDK: all are answered, over a few connections."""

import asyncio

import httpx2
import pytest

from clarion.client import HttpPublisher, Inbox, NotOpen, Publisher, Refused, Unavailable
from clarion.client import http as http_module
from clarion.client.publishing import publish_queue
from clarion.client.publishing.http_publisher import HttpTransport
from clarion.client.publishing.publish_queue import REQUESTS
from clarion.client.tokens import TokenSource
from tests.unit.clarion.client.fake_services import Server, publish, serving


async def test_ten_thousand_published_at_once_are_accepted() -> None:
    server = Server(per_try=400)
    async with serving(server) as url, Publisher.http(url, token="t") as publisher, asyncio.timeout(60):
        ids = await asyncio.gather(*(publish(publisher, number) for number in range(10_000)))
    assert ids == [f"u{number}" for number in range(10_000)]
    assert sorted(server.accepted) == sorted(ids), "each is accepted once"
    assert server.requests < 100
    assert server.most_open <= REQUESTS


async def test_hundreds_of_keyed_and_inbox_requests_take_turns() -> None:
    server = Server()
    async with (
        serving(server) as url,
        Publisher.http(url, token="t") as publisher,
        Inbox(url, token="t") as inbox,
        asyncio.timeout(60),
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
