"""Publishing straight to Kafka: whatever start and stop come to, nothing is left open."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.transaction import InitProducerIdResponse_v0

from clarion.broker import clients
from clarion.client import Submission, Unavailable
from clarion.client.publishing.kafka_publisher import KafkaTransport
from clarion.contracts.records.notification import Invalid

WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def _ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that is given up waits less long for an answer: these brokers give none."""
    monkeypatch.setattr(clients, "_CANCELLED_S", 0.2)


@asynccontextmanager
async def dumb_broker() -> AsyncGenerator[tuple[int, asyncio.Event, asyncio.Event]]:
    """It takes connections and says nothing; its port, when it was asked, and when the client had hung up."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            asked.set()
        left.set()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1") as server, asyncio.timeout(WITHIN_S):
        yield server.sockets[0].getsockname()[1], asked, left


def transport(port: int, deadline_s: float) -> KafkaTransport:
    return KafkaTransport(f"127.0.0.1:{port}", "calls", "", deadline_s)


async def test_without_an_answer_it_is_unavailable() -> None:
    async with dumb_broker() as (port, _, left):
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
            await transport(port, 0.2).start()
        await left.wait()
        gc.collect()  # pytest makes an error of what it then warns of


async def test_a_start_that_is_cancelled_hangs_up() -> None:
    async with dumb_broker() as (port, asked, left):
        starting = asyncio.create_task(transport(port, 30).start())
        await asked.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await left.wait()
        gc.collect()


@pytest.mark.parametrize("field", ["deliver_at", "expires_at"])
async def test_a_time_without_a_zone_is_refused_by_its_field(field: str) -> None:
    publisher = transport(9, 0.2)
    submission = Submission(recipient="ann", type="t", message="m")
    setattr(submission, field, datetime(2030, 1, 1))  # noqa: DTZ001
    with pytest.raises(Invalid, match="the time has no zone") as refused:
        publisher._checked(submission, None)
    assert (refused.value.pointer, refused.value.code) == (f"/{field}", "no_zone")


PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22
VERSIONS = [(PRODUCE, 3, 3), (METADATA, 1, 1), (API_VERSIONS, 0, 0), (INIT_PRODUCER_ID, 0, 0)]


class StalledBroker:
    """A real one's answers, but to records, which it neither takes nor refuses."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.was_sent_records = asyncio.Event()

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while size := await reader.read(4):
                request = await reader.readexactly(int.from_bytes(size))
                self.answer(writer, int.from_bytes(request[:2]), request[4:8])
        finally:
            self.connections -= 1
            writer.close()

    def answer(self, writer: asyncio.StreamWriter, asked: int, correlation: bytes) -> None:
        if asked == PRODUCE:
            self.was_sent_records.set()
            return
        topic = ("notifications.normal", False, [(0, 0, 1, [1], [1])])
        answers: dict[int, Any] = {
            API_VERSIONS: lambda: ApiVersionResponse_v0(0, VERSIONS),
            METADATA: lambda: MetadataResponse_v1([(1, "127.0.0.1", self.port, None)], 1, [(0, *topic)]),
            INIT_PRODUCER_ID: lambda: InitProducerIdResponse_v0(0, 0, 7, 0),
        }
        said = correlation + answers[asked]().encode()
        writer.write(len(said).to_bytes(4) + said)


@asynccontextmanager
async def publishing(deadline_s: float) -> AsyncGenerator[tuple[KafkaTransport, StalledBroker]]:
    """A transport with a record that is not taken. Afterwards no task and no connection may be left."""
    broker, before = StalledBroker(), asyncio.all_tasks()
    async with await asyncio.start_server(broker.listen, "127.0.0.1") as server, asyncio.timeout(WITHIN_S):
        broker.port = server.sockets[0].getsockname()[1]
        publisher = transport(broker.port, deadline_s)
        await publisher.start()
        sending = asyncio.create_task(publisher.send(Submission(type="t", message="m", recipient="bob"), None))
        await broker.was_sent_records.wait()
        yield publisher, broker
        await asyncio.wait([sending])
        assert isinstance(sending.exception(), Unavailable)
        while broker.connections:
            await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
    gc.collect()


async def test_a_stop_that_cannot_send_what_is_left_hangs_up() -> None:
    async with publishing(deadline_s=0.3) as (publisher, _):
        with pytest.raises(Unavailable, match="some may be lost"):
            await publisher.stop()


async def test_a_stop_that_is_cancelled_hangs_up() -> None:
    async with publishing(deadline_s=5) as (publisher, broker):
        stopping = asyncio.create_task(publisher.stop())
        await asyncio.sleep(0.05)
        assert broker.connections
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
