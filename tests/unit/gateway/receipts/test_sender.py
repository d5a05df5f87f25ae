"""A flush is a barrier: what comes after it does not hold it up. What is only `delivered` waits for more of it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from clarion.contracts import times
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.security.tokens import Claims
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from clarion.telemetry.health import Dependency
from services.gateway.client.connection import Connection
from services.gateway.client.feed import Feed
from services.gateway.receipts import sender
from services.gateway.receipts.sender import ReceiptSender

NOTHING: Any = None


def receipt(number: int, op: Op = Op.DELIVERED) -> Receipt:
    return Receipt(f"user-{number}", op, [f"id-{number}"], times.now())


def connected(user: str) -> Connection:
    return Connection(NOTHING, Feed(times.now(), times.now()), claims=Claims(user, frozenset(), 0.0))


async def test_a_flush_ends_although_receipts_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    box = ReceiptSender(NOTHING, Names(""), NOTHING, Dependency("kafka"))
    sent: list[str] = []

    async def send(_: Any, __: str, records: list[tuple[str, bytes]], **___: Any) -> None:
        sent.extend(user for user, _ in records)
        assert box.put(receipt(len(sent)))  # one more comes while these are on their way

    monkeypatch.setattr(sender, "send_keyed", send)
    running = asyncio.create_task(box.run())
    try:
        assert box.put(receipt(0))
        async with asyncio.timeout(5):
            await box.flush()
        assert "user-0" in sent
        assert len(box)
    finally:
        running.cancel()


async def test_what_other_devices_show_waits_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "GATHER_S", 0.001)
    monkeypatch.setattr(sender, "GATHER_MOST", 60_000)  # a minute
    box = ReceiptSender(NOTHING, Names(""), NOTHING, Dependency("kafka"))
    sent: asyncio.Queue[list[str]] = asyncio.Queue()

    async def send(_: Any, __: str, records: list[tuple[str, bytes]], **___: Any) -> None:
        sent.put_nowait([user for user, _ in records])

    monkeypatch.setattr(sender, "send_keyed", send)
    running = asyncio.create_task(box.run())
    try:
        async with asyncio.timeout(20):
            for number in range(2):  # the second time it is as patient as the first
                assert box.put(receipt(2 * number))
                await asyncio.sleep(0.05)
                assert sent.empty()
                assert box.put(receipt(2 * number + 1, Op.READ))
                assert await sent.get() == [f"user-{2 * number}", f"user-{2 * number + 1}"]
            assert box.put(receipt(4))
            await box.flush()
            for number in range(sender.BATCH):
                assert box.put(receipt(number))
            await sent.get()
            assert len(await sent.get()) == sender.BATCH, "a batch is full"
    finally:
        running.cancel()


async def test_what_thousands_acknowledge_in_turn_falls_together_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "GATHER_S", 0.001)
    monkeypatch.setattr(sender, "GATHER_MOST", 60_000)  # a minute
    box = ReceiptSender(NOTHING, Names(""), NOTHING, Dependency("kafka"))
    sent: list[Receipt] = []

    async def send(_: Any, __: str, records: Iterable[tuple[str, bytes]], **___: Any) -> None:
        sent.extend(msgspec.json.decode(value, type=Receipt) for _, value in records)

    monkeypatch.setattr(sender, "send_keyed", send)
    running = asyncio.create_task(box.run())
    users = [connected(f"user-{number}") for number in range(2_000)]
    try:
        for turn in range(5):
            for connection in users:
                box.delivered(connection, [f"{connection.user}-{turn}"])
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            await box.flush()
    finally:
        running.cancel()
    assert {one.user: one.ids for one in sent} == {
        connection.user: [f"{connection.user}-{turn}" for turn in range(5)] for connection in users
    }
    assert len(sent) == len(users), "one receipt each"
    assert {one.session for one in sent} == {connection.session for connection in users}


async def test_while_kafka_is_away_receipts_are_folded_and_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = Dependency("kafka")
    kafka.seen("away")
    box = ReceiptSender(NOTHING, Names(""), NOTHING, kafka)
    sent: list[bytes] = []
    folded: list[Change] = []

    async def send(_: Any, __: str, records: Iterable[tuple[str, bytes]], **___: Any) -> None:
        assert kafka.up, "it would be waited for"
        sent.extend(value for _, value in records)

    async def fold(_: Any, changed: list[Change]) -> None:
        folded.extend(changed)

    monkeypatch.setattr(sender, "send_keyed", send)
    monkeypatch.setattr(receipt_updates, "fold", fold)
    running = asyncio.create_task(box.run())
    try:
        async with asyncio.timeout(20):
            assert box.put(receipt(1, Op.READ))
            await box.flush()
            assert [change.ids for change in folded] == [("id-1",)]
            kafka.seen("")
            assert box.put(receipt(2, Op.READ))
            await box.flush()
    finally:
        running.cancel()
    told = [msgspec.json.decode(value, type=Receipt) for value in sent]
    assert [(one.user, one.folded) for one in told] == [("user-1", True), ("user-2", False)]
    assert len(folded) == 1
