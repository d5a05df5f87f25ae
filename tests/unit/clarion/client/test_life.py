"""Objects of the SDK in another event loop, after their end, and before they are open."""

import asyncio

import pytest

from clarion.client import Inbox, NotOpen, Publisher, Subscriber, Unavailable
from tests.unit.clarion.client.fake_services import Server, publish, serving

ID = "01890000-0000-7000-8000-000000000001"


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


def test_a_client_works_in_another_loop_only_if_opened_anew() -> None:
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
