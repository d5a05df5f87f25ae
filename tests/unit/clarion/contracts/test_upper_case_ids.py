"""An id in upper case, as Swift writes it, is the same id at every door, and in lower case behind it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette

from clarion.client.subscribing.marks import Marks
from clarion.contracts.api import frames
from clarion.contracts.api.frames import Read
from clarion.contracts.api.inbox import Unread
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.receipts import Op
from clarion.security.tokens import mint
from clarion.security.verifier import Verifier
from clarion.web.budget import Budget
from services.gateway.http.inbox_limits import InboxLimits
from services.gateway.http.inbox_routes import inbox_routes
from services.stream.receipts.worker import decode_receipts
from services.stream.scheduler.decode import decode_plans
from services.stream.steps.decode import decode_window
from tests.unit.ingest.fake_ingest import MINE, ONE, SETTINGS, Broker, client
from tests.unit.records import batch

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ID = "019b7d3e-5c00-7abc-8def-0123456789ab"  # its letters differ in both cases
MIXED = ID[:18].upper() + ID[18:]


def published(id_: str) -> bytes:
    item = {"id": id_, "type": "t", "message": "m", "recipient": "ann", "sender": "s"}
    return msgspec.json.encode(item | {"created_at": "2026-11-29T12:00:00Z"})


@pytest.mark.parametrize("written", [ID.upper(), MIXED])
def test_straight_from_kafka_it_is_one_notification(written: str) -> None:
    values = [published(ID), published(written)]
    decoded = decode_window([batch(values)], Lane.NORMAL, 0, 1, NOW)
    assert (list(decoded.entries), decoded.repeats, decoded.dead) == ([ID], 1, [])
    assert b'"id":"%b"' % ID.encode() in decode_window([batch(values[1:])], Lane.NORMAL, 0, 1, NOW).entries[ID].body
    assert list(decode_plans([batch(values)], 0, 1, NOW).by_id) == [ID]


@pytest.mark.parametrize("written", [f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", "")])
def test_other_forms_are_refused_by_name(written: str) -> None:
    (letter,) = decode_window([batch([published(written)])], Lane.NORMAL, 0, 1, NOW).dead
    assert letter.reason is Reason.UNDECODABLE
    assert "$.id" in letter.error


def test_a_receipt_and_a_mark_name_it_in_lower_case() -> None:
    said = {"user": "ann", "op": "read", "ids": [ID.upper(), MIXED], "at": "2026-11-29T12:00:00Z"}
    (found,), dead = decode_receipts([batch([msgspec.json.encode(said)])], NOW)
    assert (found.receipt.ids, dead) == ([ID, ID], [])
    for op in ("read", "unread", "archive"):
        frame: Any = frames.decode_client(msgspec.json.encode({"op": op, "ids": [ID.upper()]}))
        assert frame.ids == [ID]


async def test_a_sender_may_name_an_id_in_upper_case() -> None:
    broker = Broker()
    async with client(broker) as c:
        assert (await c.get(f"{ONE}/{MINE.id.upper()}")).json()["id"] == MINE.id
        assert (await c.delete(f"{ONE}/{MINE.id.upper()}")).status_code == 202
        assert "without braces" in (await c.get(f"{ONE}/urn:uuid:{MINE.id}")).json()["detail"]
    assert broker.told[0].ids == [MINE.id]


class Marked:
    """Stands for the inbox: keeps what is marked."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def mark(self, _: str, __: Op, ids: Sequence[str]) -> Unread:
        self.ids += ids
        return Unread(0)


async def test_the_inbox_marks_what_is_named_in_upper_case() -> None:
    inbox: Any = Marked()
    shares = InboxLimits(50, (), by_address=True)
    transport = httpx2.ASGITransport(Starlette(routes=inbox_routes(Verifier(SETTINGS), inbox, Budget(), shares)))
    headers = {"Authorization": f"Bearer {mint(SETTINGS, sub='ann', scope='subscribe')}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as http:
        assert (await http.post("/v1/inbox/read", json={"ids": [ID.upper()]})).status_code == 200
    assert inbox.ids == [ID]


def test_the_python_sdks_mark_is_confirmed_by_the_servers_sync() -> None:
    marks = Marks()
    assert marks.add(Read, [ID.upper()])
    assert marks.next_frame() == Read([ID])
    assert marks.confirmed(Op.READ, [ID])
    assert len(marks) == 0
