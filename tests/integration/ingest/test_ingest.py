"""Ingest on a real broker: what it answers 202 for is in Kafka, whatever happens to either of them."""

import asyncio
import os
import signal
import sys
from typing import Any

import httpx2
import msgspec
import pytest
from aiokafka.partitioner import DefaultPartitioner

from clarion.client import Publisher, Refused, Submission
from clarion.contracts import limits
from clarion.contracts.lanes import LANES
from clarion.security import guarded_http
from clarion.security.tokens import mint
from clarion.settings import Settings
from tests.conftest import until
from tests.integration.ingest.own_ingest import GOOD, ONE, kafka_is_up, publisher, records, running
from tests.subprocesses import free_port


async def test_each_error_is_told_and_its_neighbours_are_accepted(settings: Settings) -> None:
    async with running(settings) as (url, process), publisher(url, settings) as good:
        await kafka_is_up(process)
        expired = publisher(url, settings, ttl_s=-60)
        nobody = httpx2.AsyncClient(base_url=url, trust_env=False)
        async with expired, nobody:
            cases = [
                (400, good.post(ONE, content=b'{"type":', headers={"Content-Type": "application/json"})),
                (422, good.post(ONE, json=GOOD | {"priority": "huge"})),
                (413, good.post(ONE, content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})),
                (403, good.post(ONE, json=GOOD | {"sender": "other"})),
                (401, nobody.post(ONE, json=GOOD)),
                (401, expired.post(ONE, json=GOOD)),
                (415, good.post(ONE, content=b"hi", headers={"Content-Type": "text/plain"})),
                (404, good.get("/nope")),
                (405, good.get(ONE)),
            ]
            neighbours = [good.post(ONE, json=GOOD | {"message": str(number)}) for number in range(20)]
            answers = await asyncio.gather(*(call for _, call in cases), *neighbours)
    for (status, _), answer in zip(cases, answers, strict=False):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    accepted = answers[len(cases) :]
    assert {answer.status_code for answer in accepted} == {202}
    assert {answer.json()["id"] for answer in accepted} == set(await records(settings))


async def test_a_recipients_records_are_on_its_partition_in_its_lane(settings: Settings) -> None:
    recipients = [f"user-{number}" for number in range(40)]
    async with running(settings) as (url, process), publisher(url, settings) as c:
        await kafka_is_up(process)
        for lane in LANES:
            body = {"type": "a", "message": "x", "recipients": recipients, "priority": lane}
            ids = (await c.post(ONE, json=body)).json()["ids"]
            found = await records(settings, lane)
            assert [found[id_][1].recipient for id_ in ids] == recipients
            numbers = list(range(settings.partitions_lane))
            place: Any = DefaultPartitioner()
            assert all(place(r.encode(), numbers, numbers) == found[i][0] for i, r in zip(ids, recipients, strict=True))


async def test_a_batch_accepts_its_good_lines(settings: Settings) -> None:
    lines = [msgspec.json.encode(GOOD | {"recipient": f"u{number}"}) for number in range(limits.BATCH_LINES)]
    lines[10], lines[500] = b'{"type":', msgspec.json.encode(GOOD | {"sender": "other"})
    async with running(settings) as (url, process), publisher(url, settings) as c:
        await kafka_is_up(process)
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "batch"}
        answers = [await c.post(f"{ONE}/batch", content=b"\n".join(lines), headers=headers) for _ in range(2)]
        found = await records(settings)
    assert answers[0].content == answers[1].content
    results = [msgspec.json.decode(line) for line in answers[0].content.splitlines()]
    assert {result["line"]: result["status"] for result in results if result["status"] != 202} == {11: 400, 501: 403}
    assert {result["id"] for result in results if result["status"] == 202} == set(found)
    assert len(found) == 998


async def test_straight_to_kafka_a_notification_is_the_same(settings: Settings) -> None:
    token = mint(settings, sub="svc", scope="publish")
    async with (
        running(settings) as (url, process),
        Publisher.http(url, token=token) as over_http,
        Publisher.kafka(settings.kafka, sender="svc", prefix=settings.prefix) as straight,
    ):
        await kafka_is_up(process)
        first = await over_http.publish(recipient="bob", type="a", message="x", idempotency_key="k")
        again = await straight.publish(recipient="bob", type="a", message="x", idempotency_key="k")
        assert first == again
        other = await straight.publish(recipient="bob", type="a", message="y", data={"a": 1})
        found = await records(settings)
        assert set(found) == {first, other}
        assert found[first][0] == found[other][0]
        assert (found[other][1].sender, found[other][1].data) == ("svc", {"a": 1})
        with pytest.raises(Refused, match="/type"):
            await straight.publish(recipient="bob", type="A B", message="x")
        results = await straight.publish_many(
            [Submission(type="a", message="x", recipient=name) for name in ("a", "x" * 129, "b")]
        )
        assert [result.status for result in results] == [202, 422, 202]


@pytest.mark.parametrize(
    "text", [b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n"]
)
async def test_headers_have_a_limit(settings: Settings, text: bytes) -> None:
    async with running(settings) as (url, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(text)
        async with asyncio.timeout(5):
            assert b" 431 " in await reader.readline()
        writer.close()


async def test_headers_have_a_deadline(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEADERS_WITHIN_S", 0.1)
    async with running(settings) as (url, process), publisher(url, settings) as c:
        silent, half = [await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])) for _ in range(2)]
        half[1].write(b"POST /v1/notifications HTTP/1.1\r\nhost: x\r\n")
        async with asyncio.timeout(5):
            assert await silent[0].read() == b""
            assert await half[0].read() == b""
        await kafka_is_up(process)
        assert (await c.post(ONE, json=GOOD)).status_code == 202
        for _, writer in (silent, half):
            writer.close()


async def test_a_process_told_to_stop_finishes_what_is_in_flight(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, port=free_port(), admin_port=free_port())
    environment = {
        f"CLARION_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items() if value != ""
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clarion.cli", "ingest", env=os.environ | environment, stderr=asyncio.subprocess.DEVNULL
    )
    accepted: set[str] = set()
    gone = asyncio.Event()

    async def upstream(c: httpx2.AsyncClient, name: str) -> None:
        number = 0
        while not gone.is_set():
            number += 1
            try:
                answer = await c.post(ONE, json=GOOD | {"recipient": f"{name}-{number}"})
            except httpx2.TransportError:
                if accepted:  # it listened before, and does no more
                    return
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 202:
                accepted.add(answer.json()["id"])

    try:
        async with publisher(f"http://127.0.0.1:{settings.port}", settings) as c, asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(upstream(c, f"u{number}"))
            await until(lambda: len(accepted) > 200)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 30) == 0
            gone.set()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert accepted <= set(await records(settings))
