"""Ingest while its broker is stopped, hangs or comes back."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest

from clarion.client import Publisher, Submission
from clarion.security.tokens import mint
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.ingest.own_ingest import GOOD, ONE, kafka_is_up, publisher, records, running, until_accepted

pytestmark = pytest.mark.slow


@asynccontextmanager
async def without_broker(stack: Stack) -> AsyncGenerator[None]:
    await stack.stop_child("kafka")
    try:
        yield
    finally:
        await stack.start_kafka()


async def test_a_stopped_broker_is_503_at_once_and_loses_nothing(settings: Settings, stack: Stack) -> None:
    accepted: set[str] = set()
    statuses: set[int] = set()
    refused_fast = asyncio.Event()

    async def upstream(c: httpx2.AsyncClient, name: str, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            answer = await c.post(ONE, json=GOOD | {"recipient": f"{name}-{number}"})
            statuses.add(answer.status_code)
            if answer.status_code == 202:
                accepted.add(answer.json()["id"])
                await asyncio.sleep(0.002)
                continue
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
            if answer.elapsed.total_seconds() < 1:
                refused_fast.set()
            await asyncio.sleep(0.1)

    async with running(settings) as (url, process), publisher(url, settings) as c:
        await kafka_is_up(process)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(upstream(c, f"u{number}", stop))
            await until(lambda: len(accepted) > 100)
            async with without_broker(stack):
                await asyncio.wait_for(refused_fast.wait(), 20)
                assert process.health.unready() == []
                assert "kafka is down" in process.health.status()[1][0]
                before = len(accepted)
            await until(lambda: len(accepted) > before + 100)
            stop.set()
    assert statuses == {202, 503}
    assert accepted <= set(await records(settings))


async def test_it_starts_without_a_broker_and_finds_it_later(settings: Settings, stack: Stack) -> None:
    async with AsyncExitStack() as opened:
        async with without_broker(stack):
            url, process = await opened.enter_async_context(running(settings))
            c = await opened.enter_async_context(publisher(url, settings))
            answer = await c.post(ONE, json=GOOD)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert process.health.unready() == []
        await kafka_is_up(process)
        await until_accepted(c)


async def test_it_stops_in_time_while_the_broker_hangs(settings: Settings, stack: Stack) -> None:
    """What is in flight is answered first; what Kafka never acknowledged was never answered with 202."""
    async with running(settings) as (url, process), publisher(url, settings) as c:
        await kafka_is_up(process)
        await until_accepted(c)
        stack.kill("kafka", signal.SIGSTOP)
        try:
            waiting = asyncio.create_task(c.post(ONE, json=GOOD))
            await until(lambda: process.health.figures[0]()["requests"] == 1)
            process.stop()
            answer = await waiting
        finally:
            stack.kill("kafka", signal.SIGCONT)
    assert answer.status_code == 503
    assert "may still accept" in answer.json()["detail"]


async def test_the_sdk_rides_out_a_broker_that_restarts(settings: Settings, stack: Stack) -> None:
    token = mint(settings, sub="svc", scope="publish")
    async with running(settings) as (url, process), Publisher.http(url, token=token, deadline_s=60) as p:
        await kafka_is_up(process)
        async with without_broker(stack):
            one = asyncio.create_task(p.publish(recipient="bob", type="a", message="x"))
            many = asyncio.create_task(
                p.publish_many([Submission(type="a", message="x", recipient=f"u{number}") for number in range(50)])
            )
        ids = {await one, *(str(result.id) for result in await many)}
        assert len(ids) == 51
        assert ids <= set(await records(settings))
