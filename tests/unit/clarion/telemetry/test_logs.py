"""Logs come from a bounded queue as JSON lines, repeat no library's complaint, and wait for no sink."""

import asyncio
import io
import json
import logging
import sys
import threading
import time
import warnings
from collections.abc import Generator

import httpx2
import pytest
import structlog
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from clarion.telemetry import log_writer
from clarion.telemetry.logs import logging_to

TOKEN = "ey.secret.token"
STUCK_S = 20.0  # far longer than anything here takes on a busy machine


class Stuck(io.StringIO):
    """A sink that takes nothing before it is let go, and other threads come before each line then."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str, /) -> int:
        self.let_go.wait(STUCK_S)
        time.sleep(0.001)  # so that the end of the queue is in it before the last lines are written
        return super().write(text)


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _aiokafka_is_heard() -> Generator[None]:
    """Tests with a broker keep it quiet in their process, which may be this one."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield
    logger.setLevel(before)


def test_logs_are_json_lines_and_libraries_complain_once() -> None:
    out = io.StringIO()
    with logging_to(out, service="test", level="info"):
        structlog.get_logger("clarion.mine").info("hello", n=1)
        for _ in range(3):
            logging.getLogger("aiokafka.conn").error("cannot connect")
        for n in range(3):
            logging.getLogger("clarion.x").info("line %d", n)
    written = lines(out)
    left_out = "further lines of this kind were left out of the log"
    events = ["hello", "cannot connect", "line 0", "line 1", "line 2", left_out]
    assert [line["event"] for line in written] == events
    assert written[0]["n"] == 1
    assert (written[-1]["what"], written[-1]["more"], written[-1]["library"]) == ("cannot connect", 2, "aiokafka.conn")
    assert {line["service"] for line in written} == {"test"}


def test_what_python_itself_reports_is_in_the_log() -> None:
    """On stderr it would block whoever it happens to: the event loop."""

    class Faulty:
        def __del__(self) -> None:
            raise ValueError("in a finalizer")

    out, hook = io.StringIO(), sys.unraisablehook
    with logging_to(out, service="test", level="info"), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("of Python", stacklevel=1)
        faulty = Faulty()
        del faulty
    warned, ignored = lines(out)
    assert "of Python" in str(warned["event"])
    assert ignored["event"] == "an error was ignored, since nobody could handle it"
    assert "in a finalizer" in str(ignored["exception"])
    assert sys.unraisablehook is hook


def test_secrets_in_an_error_are_masked_and_long_texts_cut() -> None:
    out = io.StringIO()
    with logging_to(out, service="test", level="info"):
        structlog.get_logger("clarion.mine").info("failed", error=f"401 for Bearer {TOKEN}", long="x" * 1_000_000)
    (line,) = lines(out)
    assert line["error"] == "401 for Bearer <masked>"
    assert len(str(line["long"])) < 3_000


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
    assert [line["event"] for line in lines(out)] == ["at this level"]


def test_a_full_queue_drops_counts_tells_and_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "QUEUE_RECORDS", 100)
    monkeypatch.setattr(log_writer, "log", structlog.get_logger())
    out, before = Stuck(), dropped()
    with logging_to(out, service="test", level="info"):
        began = time.monotonic()
        for n in range(900):
            structlog.get_logger("clarion.x").info(f"line {n}")
        took_s = time.monotonic() - began
        lost = dropped() - before
        out.let_go.set()
    assert took_s < STUCK_S / 2
    assert lost >= 790
    (told,) = [line for line in lines(out) if "lost" in line]
    assert told["lost"] == lost


def test_a_sink_that_takes_nothing_is_left_behind_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "END_WITHIN_S", 0.1)
    monkeypatch.setattr(log_writer, "QUEUE_RECORDS", 1)
    out, began = Stuck(), time.monotonic()
    with logging_to(out, service="test", level="info"):
        for n in range(3):
            structlog.get_logger("clarion.x").info(f"line {n}")
    assert time.monotonic() - began < STUCK_S / 2
    out.let_go.set()


def dropped() -> float:
    return REGISTRY.get_sample_value("clarion_logs_dropped_total") or 0.0
