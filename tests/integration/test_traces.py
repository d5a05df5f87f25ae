"""One trace from HTTP to the receipt: through lanes, the scheduler and a gateway, to a collector, and on Kafka."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest

from clarion.broker import clients
from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification, receipts
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.contracts.trace import Trace
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.observing import reading
from tests.otlp_receiver import Receiver, receiving
from tests.own_services import Services, services

pytestmark = pytest.mark.slow

SENDERS: Final = Trace(trace.new_trace_id(), trace.new_span_id(), True)
LANE_STAGES: Final = ("decode", "store", "route", "emit")


@asynccontextmanager
async def traced(settings: Settings, folder: Path, **env: str) -> AsyncGenerator[tuple[Services, Receiver]]:
    """Services whose collector is the receiver; what they log is in `folder`."""
    with receiving() as receiver:
        env = {"CLARION_OTLP_ENDPOINT": receiver.url, "CLARION_LOG_LEVEL": "debug"} | env
        async with services(settings, lambda name: _opened(folder / f"{name}.log"), env) as running:
            yield running, receiver


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


async def publish(running: Services, own: Trace | None, **fields: Any) -> str:
    headers = {"Authorization": f"Bearer {mint(running.settings, sub='tests', scope=PUBLISH)}"}
    if own:
        headers["traceparent"] = str(own)
    async with httpx2.AsyncClient(trust_env=False, base_url=running.settings.ingest_url, timeout=10) as http:
        body = {"type": "t", "message": "x"} | fields
        answer = await http.post("/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def arrives(receiver: Receiver, trace_id: str, *names: str) -> dict[str, Any]:
    """Wait for these spans of a trace, named by service and name; all of them."""

    async def are_there() -> bool:
        return set(names) <= set(receiver.of(trace_id))

    await until(are_there)
    return receiver.of(trace_id)


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (folder / f"{name}.log").read_bytes().splitlines()]


@pytest.mark.timeout(300)
async def test_one_trace_leads_from_the_request_to_the_receipt(settings: Settings, tmp_path: Path) -> None:
    async with traced(settings, tmp_path) as (running, receiver):
        own, user = SENDERS, f"user-{new_id()}"
        async with running.subscriber(user) as listening:
            await asyncio.sleep(1)  # it is routed live once its session is stored; a catch-up read carries no trace
            id_ = await publish(running, own, recipient=user)
            received = await anext(listening)
            await listening.handled()
            assert received.id == id_
            found = await arrives(
                receiver,
                own.trace_id,
                "ingest: publish",
                "stream-normal: normal window",
                *(f"stream-normal: {stage}" for stage in LANE_STAGES),
                "gateway: deliver",
                "gateway: await acknowledgement",
                "stream-receipts: receipts window",
            )
            unsampled = await publish(
                running, own._replace(sampled=False, trace_id=trace.new_trace_id()), recipient=user
            )
            assert (await anext(listening)).id == unsampled

        published, window = found["ingest: publish"], found["stream-normal: normal window"]
        assert (published.parent, published.attributes["messaging.message.id"]) == (own.span_id, id_)
        assert (window.parent, window.links) == (published.span_id, [(own.trace_id, published.span_id)])
        assert all(found[f"stream-normal: {stage}"].parent == window.span_id for stage in LANE_STAGES)
        delivered, awaited = found["gateway: deliver"], found["gateway: await acknowledgement"]
        assert (delivered.parent, awaited.parent) == (published.span_id, delivered.span_id)
        assert found["stream-receipts: receipts window"].parent == awaited.span_id

        async with reading(running.settings, Names(settings.prefix).receipts) as consumer:
            told = await asyncio.wait_for(consumer.getone(), 20)
        assert trace.of(told.headers) == Trace(own.trace_id, awaited.span_id, True)
        assert receipts.decode(told.value).ids == [id_]
        assert b"traceparent" not in told.value

        for name, event in (
            ("ingest", "sampled notifications were published"),
            ("normal", "sampled notifications were stored, and sent to whoever is connected"),
            ("gateway", "a sampled notification was delivered"),
            ("gateway", "a sampled notification was acknowledged"),
            ("receipts", "a sampled receipt was folded"),
        ):
            (line,) = [line for line in lines(tmp_path, name) if line["event"] == event]
            assert id_ in (line.get("id"), *line.get("ids", ()))
            assert own.trace_id in (line.get("trace_id"), *line.get("trace_ids", ()))

    assert len([one for one in receiver.spans if one.name == "publish"]) == 1  # what is not sampled is no span


@pytest.mark.timeout(300)
async def test_what_is_scheduled_keeps_its_trace_until_it_is_due(settings: Settings, tmp_path: Path) -> None:
    async with traced(settings, tmp_path, CLARION_OTLP_METRICS_S="1") as (running, receiver):
        user, due = f"user-{new_id()}", (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
        async with running.subscriber(user) as listening:
            id_ = await publish(running, SENDERS, recipient=user, deliver_at=due, priority="urgent")
            assert (await asyncio.wait_for(anext(listening), 30)).id == id_
            found = await arrives(
                receiver,
                SENDERS.trace_id,
                "ingest: publish",
                "stream-scheduler: scheduler window",
                "stream-scheduler: release",
                "stream-urgent: urgent window",
                "gateway: deliver",
            )
        assert found["stream-urgent: urgent window"].parent == found["stream-scheduler: release"].span_id

        async def has_metrics() -> bool:
            return "clarion_released_total" in receiver.metrics.get("stream-scheduler", {})

        await until(has_metrics)


@pytest.mark.timeout(300)
async def test_headers_stay_with_a_record_wherever_it_is_sent(settings: Settings, tmp_path: Path) -> None:
    """To its recipient's partition, to the dead letters, and in the receipt that tells its sender of that."""
    own, user, bad = trace.begun_by(new_id(), sampled=False), f"user-{new_id()}", new_id()
    headers, names = [trace.header(own), ("other", b"\x00\xff")], Names(settings.prefix)
    good = notification.encode(Notification(type="t", message="x", recipient=user, sender="s", id=new_id()))
    worse = msgspec.json.encode({"id": bad, "type": "t", "message": 7, "recipient": user, "sender": "s"})
    async with traced(settings, tmp_path) as (running, _):
        async with clients.producer(running.settings) as producer:
            topic = names.notifications(Lane.NORMAL)
            for partition in range(settings.partitions_lane):
                await producer.send_and_wait(topic, good, partition=partition, headers=headers)
            await producer.send_and_wait(topic, worse, partition=0, headers=headers)
        async with reading(running.settings, topic) as consumer:
            for _n in range(2 * settings.partitions_lane):  # all but one of the good ones are moved
                record = await asyncio.wait_for(consumer.getone(), 20)
                assert list(record.headers) == headers
        async with reading(running.settings, names.dead_letters) as consumer:
            letter = await asyncio.wait_for(consumer.getone(), 20)
        assert list(letter.headers)[-2:] == headers
        async with reading(running.settings, names.receipts) as consumer:
            told = await asyncio.wait_for(consumer.getone(), 20)
        assert trace.of(told.headers) == own

        def dead() -> list[dict[str, Any]]:
            return [line for line in lines(tmp_path, "normal") if line["event"] == "a record became a dead letter"]

        async def is_told() -> bool:
            return bool(dead())

        await until(is_told)
        (line,) = dead()
        assert (line["id"], line["trace_id"]) == (bad, own.trace_id)
