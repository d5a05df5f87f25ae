"""Logs come from a bounded queue as JSON lines, and repeat no library's complaint."""

import asyncio
import io
import json
import logging
import threading

import httpx2
import pytest
import structlog
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from clarion.telemetry import logs as logs_module
from clarion.telemetry.logs import logging_to

TOKEN = "ey.secret.token"


def test_logs_are_json_lines_and_libraries_complain_once() -> None:
    out = io.StringIO()
    with logging_to(out, service="test", level="info"):
        structlog.get_logger("mine").info("hello", n=1)
        for _ in range(3):
            logging.getLogger("aiokafka.conn").error("cannot connect")
        for n in range(3):
            logging.getLogger("clarion.x").info("line %d", n)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["hello", "cannot connect", "line 0", "line 1", "line 2"]
    assert lines[0]["n"] == 1
    assert {line["service"] for line in lines} == {"test"}


async def test_at_debug_no_library_writes_down_what_went_over_the_wire() -> None:
    """Tokens would be in the log. A library that comes under a new name is found by this, too."""
    out, sent = io.StringIO(), list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with logging_to(out, service="test", level="debug"):
            logging.getLogger("clarion.x").debug("at this level")
            async with httpx2.AsyncClient(trust_env=False) as http:
                await http.get(f"http://{address}", headers={"Authorization": f"Bearer {TOKEN}"})
            with pytest.raises(InvalidStatus):
                await connect(f"ws://{address}", additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None)
    assert len(sent) == sum(TOKEN.encode() in request for request in sent) == 2
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["at this level"]


def test_a_full_log_queue_drops_and_counts_and_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "_QUEUE_RECORDS", 1_000)

    class Stuck(io.StringIO):
        def write(self, text: str, /) -> int:
            release.wait(10)
            return super().write(text)

    release = threading.Event()
    before = dropped()
    with logging_to(Stuck(), service="test", level="info"):
        for n in range(2_000):
            logging.getLogger("clarion.x").info("line %d", n)
        lost = dropped() - before
        release.set()
    assert lost >= 900


def dropped() -> float:
    return REGISTRY.get_sample_value("clarion_logs_dropped_total") or 0.0
