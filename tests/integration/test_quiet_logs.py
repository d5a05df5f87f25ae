"""No line of any service, at any level, has what a notification says or what a token is, whatever goes wrong."""

import asyncio
import contextlib
import os
import secrets
import signal
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from clarion.broker import clients
from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests import streams
from tests.conftest import until
from tests.gateways import greeted, wire
from tests.own_services import ROLES, Services, services

pytestmark = pytest.mark.slow

MARK: Final = f"mark{secrets.token_hex(8)}"
OUTAGE_S: Final = 7.0  # longer than what a call of MongoDB or Kafka may take
SAMPLED: Final = {"traceparent": str(trace.begun_by(new_id(), sampled=True))}
GOOD: Final[dict[str, Any]] = {
    "type": f"t.{MARK}",
    "message": f"{MARK} says the message",
    "data": {MARK: [MARK, {MARK: 1}]},
    "collapse_key": MARK,
}


@pytest.mark.timeout(300)
async def test_no_log_has_a_payload_or_a_token(stack: Stack, settings: Settings, tmp_path: Path) -> None:
    def said(name: str) -> int:
        return os.open(tmp_path / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    env = {"CLARION_LOG_LEVEL": "debug", "CLARION_TRACES_PER_S": "1000", "PYTHONWARNINGS": "always"}
    tokens = {sub: mint(settings, sub=sub, scope=f"{PUBLISH} {SUBSCRIBE}") for sub in ("tests", "ann")}
    tokens["late"] = mint(settings, sub="tests", scope=PUBLISH, ttl_s=-3600)
    tokens["forged"] = tokens["tests"][:-8] + "AAAAAAAA"
    async with services(settings, said, env) as running:
        async with running.subscriber("ann") as listening:
            ids = await publish(running, tokens)
            await produce(running)
            got: set[str] = set()
            async with asyncio.timeout(60):
                while not got >= ids:
                    got.add((await anext(listening)).id)
            await listening.handled()
        await connect(running, tokens)
        for server in ("mongodb", "kafka"):
            stack.kill(server, signal.SIGSTOP)
            outage = asyncio.create_task(during_outage(running, tokens))
            await asyncio.sleep(OUTAGE_S)
            stack.kill(server, signal.SIGCONT)
            await outage
        await until(lambda: _all_ready(running))
    logs = {name: (tmp_path / f"{name}.log").read_text() for name in ROLES}
    logs |= {path.name: path.read_text(errors="replace") for path in stack.folder.logs.iterdir()}
    hidden = {MARK, settings.jwt_secret, *(token.rpartition(".")[2] for token in tokens.values())}
    found = {
        name: [line for line in text.splitlines() if any(one in line for one in hidden)] for name, text in logs.items()
    }
    assert {name: some[:3] for name, some in found.items() if some} == {}
    # this test means something only if what it looks at was logged at all
    events = Counter(str(line["event"]) for name in ROLES for line in map(msgspec.json.decode, logs[name].splitlines()))
    assert events["a record became a dead letter"] >= 5
    assert events["a server did not answer or failed: trying again"]
    assert events["a sampled notification was delivered"]
    assert events["records of the mailbox cannot be read, so all connections read the store"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def publish(running: Services, tokens: dict[str, str]) -> set[str]:
    """Publish what is good, return the ids of it, and try all that is refused."""
    ids: set[str] = set()
    async with httpx2.AsyncClient(trust_env=False, base_url=running.settings.ingest_url, timeout=15) as http:
        path, good = "/v1/notifications", bearer(tokens["tests"])
        for lane in (Lane.URGENT, Lane.NORMAL):
            answer = await http.post(
                path,
                json=GOOD | {"recipient": "ann", "priority": lane, "collapse_key": f"{MARK}{lane}"},
                headers=good | SAMPLED,
            )
            assert answer.status_code == 202, answer.text
            ids.add(answer.json()["id"])
        for body in (
            b"{" + MARK.encode(),
            msgspec.json.encode(GOOD | {"recipient": "ann", "priority": MARK}),
            msgspec.json.encode(GOOD | {"recipient": "ann", MARK: MARK}),
            msgspec.json.encode(GOOD | {"recipient": "ann", "data": {MARK: "x" * 20_000}}),
            f'{{"type":"t","message":"{MARK}\\ud800","recipient":"ann"}}'.encode(),
        ):
            answer = await http.post(path, content=body, headers=good | {"Content-Type": "application/json"})
            assert answer.status_code in (400, 413, 422), answer.text
        for token in ("late", "forged"):
            assert (await http.post(path, json=GOOD, headers=bearer(tokens[token]))).status_code == 401
        await http.get(f"{path}/{MARK}?access_token={tokens['tests']}", headers=good)
        await http.post(
            f"{path}/batch",
            content=f"{MARK}\n{{{MARK}".encode(),
            headers=good | {"Content-Type": "application/x-ndjson"},
        )
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.settings.ingest_url.rpartition(":")[2]))
    writer.write(f"GET /{MARK} HTTP/1.1\r\nAuthorization: Bearer {tokens['tests']}\r\n{MARK}\x00\r\n\r\n".encode())
    await reader.read(100)
    writer.close()
    return ids


async def produce(running: Services) -> None:
    """Write to Kafka what strangers and faults would."""
    names, id_ = Names(running.settings.prefix), new_id()
    item = Notification(type="t", message=f"{MARK} message", recipient="ann", sender="s", id=id_, data={MARK: MARK})
    good = notification.encode(item)
    other = good.replace(b" message", b" another")
    headers = [(MARK, MARK.encode()), *((name, value.encode()) for name, value in SAMPLED.items())]
    bad = [
        MARK.encode(),
        b"\xff" + MARK.encode(),
        good.replace(b'"type":"t"', f'"priority":"{MARK}","type":"t"'.encode()),
        good.replace(b'"type":"t"', f'"type":"{MARK} {MARK}"'.encode()),
        good.replace(b'"data":{', b'"data":{"' + MARK.encode() + b'":"' + b"x" * 40_000 + b'",'),
        good.replace(id_.encode(), new_id().encode()).replace(b'"recipient":"ann"', b'"recipient":".."'),
    ]
    async with clients.producer(running.settings) as producer:
        for lane in (Lane.URGENT, Lane.NORMAL):
            topic = names.notifications(lane)
            for value in [good, other, *bad]:
                await producer.send_and_wait(topic, value, key=b"ann", headers=headers)
        for topic in (names.scheduled, names.receipts):
            for value in bad:
                await producer.send_and_wait(topic, value, key=b"ann", headers=headers)
        for mailbox in range(running.settings.partitions_deliveries):
            for value in (MARK.encode(), f'{{"kind":"{MARK}"}}'.encode(), f'{{"kind":"sync","op":"{MARK}"}}'.encode()):
                await producer.send_and_wait(names.deliveries_bulk, value, partition=mailbox)
    assert set(LANES) > {Lane.URGENT, Lane.NORMAL}


async def connect(running: Services, tokens: dict[str, str]) -> None:
    """Connect over every transport, with good tokens and others, and say nonsense."""
    url = running.settings.gateway_url
    async with wire(url, tokens["ann"]) as socket:
        await greeted(socket)
        with contextlib.suppress(ConnectionClosed):
            await socket.send(f'{{"op":"read","ids":["{MARK}"]}}')
            await socket.send(f'{{"op":"{MARK}","token":"{tokens["ann"]}"}}')
            await asyncio.wait_for(socket.wait_closed(), 10)
    for token in (tokens["late"], tokens["forged"], MARK):
        async with wire(url, token) as socket:
            await asyncio.wait_for(socket.wait_closed(), 10)
    async with streams.listening(url, tokens["ann"]) as stream:
        await stream.frame("hello")
    async with httpx2.AsyncClient(trust_env=False, base_url=url, timeout=15) as http:
        for query in ("", f"?access_token={tokens['ann']}", f"?after={MARK}"):
            await http.get(f"/v1/inbox{query}", headers=bearer(tokens["ann"]))
        await http.post("/v1/inbox/read", json={"ids": [MARK]}, headers=bearer(tokens["ann"]))
        await http.get("/v1/stream", headers={"Authorization": f"Bearer {MARK}{tokens['forged']}"})


async def during_outage(running: Services, tokens: dict[str, str]) -> None:
    """Use everything while a server does not answer. What comes of it is no matter here."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        ingest, gateway = running.settings.ingest_url, running.settings.gateway_url
        answers = [
            http.post(
                f"{ingest}/v1/notifications",
                json=GOOD | {"recipient": "ann", "priority": lane},
                headers=bearer(tokens["tests"]) | SAMPLED,
            )
            for lane in (Lane.URGENT, Lane.NORMAL)
            for _ in range(5)
        ]
        inbox = [http.get(f"{gateway}/v1/inbox", headers=bearer(tokens["ann"])) for _ in range(3)]
        await asyncio.gather(*answers, *inbox, return_exceptions=True)


async def _all_ready(running: Services) -> bool:
    return all([(await running.health(name)).is_success for name in ROLES])
