"""A flush is a barrier: what comes after it does not hold it up."""

import asyncio
from typing import Any

import pytest

from clarion.contracts import times
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.topics import Names
from services.gateway import outbox
from services.gateway.outbox import Outbox

NOTHING: Any = None


def receipt(number: int) -> Receipt:
    return Receipt(f"user-{number}", Op.DELIVERED, [f"id-{number}"], times.now())


async def test_a_flush_ends_although_receipts_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Outbox(NOTHING, Names(""), NOTHING)
    sent: list[str] = []

    async def send(_: Any, __: str, records: list[tuple[str, bytes]], **___: Any) -> None:
        sent.extend(user for user, _ in records)
        assert box.put(receipt(len(sent)))  # one more comes while these are on their way

    monkeypatch.setattr(outbox, "send_keyed", send)
    running = asyncio.create_task(box.run())
    try:
        assert box.put(receipt(0))
        async with asyncio.timeout(5):
            await box.flush()
        assert "user-0" in sent
        assert len(box)
    finally:
        running.cancel()
