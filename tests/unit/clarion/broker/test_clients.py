"""What Kafka's client lets out, and must not."""

import asyncio

import pytest

from clarion.broker import clients


class Connections:
    def __init__(self) -> None:
        self.are_closed = False

    async def close(self) -> None:
        self.are_closed = True


class Consumer:
    """Its fetch has just failed: aiokafka 0.14 waits for that task after it has cancelled it."""

    def __init__(self) -> None:
        self._client = Connections()

    async def stop(self) -> None:
        pausing = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        pausing.cancel()
        await pausing


class Starting:
    """It waits for the broker's answer, and opens a connection that only the answer closes."""

    def __init__(self, answered_after_s: float) -> None:
        self._answered_after_s = answered_after_s
        self.is_open = False

    async def start(self) -> None:
        self.is_open = True
        await asyncio.sleep(self._answered_after_s)
        self.is_open = False


async def test_a_start_that_is_cancelled_leaves_no_connection_open() -> None:
    client = Starting(answered_after_s=0.05)
    starting = asyncio.create_task(clients.start(client))
    await asyncio.sleep(0.01)
    assert client.is_open
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not client.is_open


async def test_a_client_that_gets_no_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_CANCELLED_S", 0.01)
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        await clients.start(Starting(answered_after_s=60), within_s=0.01)
    assert asyncio.all_tasks() == before


async def test_why_a_client_does_not_start_is_told() -> None:
    client = Starting(0)

    async def fail() -> None:
        raise OSError("no route")

    client.start = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no route"):
        await clients.start(client)


async def test_a_failed_fetch_does_not_cancel_who_stops_the_consumer() -> None:
    consumer = Consumer()
    await clients.stop(consumer)
    assert consumer._client.are_closed


async def test_what_goes_wrong_while_a_consumer_stops_is_told() -> None:
    consumer = Consumer()

    async def fail() -> None:
        raise OSError("no route")

    consumer.stop = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no route"):
        await clients.stop(consumer)
