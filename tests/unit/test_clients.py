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


async def test_a_consumer_that_stops_while_a_fetch_has_failed_does_not_cancel_who_stops_it() -> None:
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
