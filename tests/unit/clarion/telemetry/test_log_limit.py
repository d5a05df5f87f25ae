"""The log stays small under a flood, and says how much it left out."""

import io
import json
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.telemetry import metrics
from clarion.telemetry.log_limit import EVERY_S, FEW, Limited, LogLimit
from clarion.telemetry.logs import logging_to
from services.stream.steps import dead_letters

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
FLOOD = 10_000
MOST = FEW["warning"]


def letter(offset: int, topic: str = "notifications.low") -> DeadLetter:
    return DeadLetter(b"x", None, Reason.INVALID, "body: no", topic, 0, offset, 1, NOW, NOW)


def counted() -> float:
    value: Any = metrics.dead_lettered.labels(Reason.INVALID)._value
    return value.get()


def test_a_flood_of_dead_letters_is_a_few_lines_and_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # structlog binds a module's logger for good when it is first used, which another test may have done
    monkeypatch.setattr(dead_letters, "log", structlog.get_logger("services.stream.steps.dead_letters"))
    stream = io.StringIO()
    before: float = counted()
    with logging_to(stream, service="low", level="info"):
        dead_letters.report(letter(n) for n in range(FLOOD))
        dead_letters.report([letter(1, "receipts")])
        structlog.get_logger("clarion.x").info("something else")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == MOST + 3
    (summary,) = [line for line in lines if "more" in line]
    assert (summary["what"], summary["more"]) == ("a record became a dead letter", FLOOD - MOST)
    assert (summary["reason"], summary["topic"], summary["offset"]) == ("invalid", "notifications.low", FLOOD - 1)
    assert counted() == before + FLOOD + 1


def test_each_kind_has_its_own_minute_and_kinds_are_bounded() -> None:
    limit = LogLimit()
    assert sum(limit.admits(("a",), {"n": n}, MOST, 0.0) for n in range(50)) == MOST
    assert limit.admits(("b",), {}, MOST, 30.0)
    assert limit.over(EVERY_S - 1) == []
    assert limit.over(EVERY_S) == [(50 - MOST, {"n": 49})]
    assert limit.admits(("a",), {}, MOST, EVERY_S)
    said = sum(limit.admits((f"e{n}",), {}, MOST, EVERY_S) for n in range(5_000))
    assert said < 1_100


def test_lines_of_every_level_are_capped() -> None:
    out = io.StringIO()
    with logging_to(out, service="low", level="debug"):
        for level, most in FEW.items():
            for _ in range(most + 5):
                structlog.get_logger("clarion.x").log(logging.getLevelNamesMapping()[level.upper()], level)
    written = Counter(line["event"] for line in map(json.loads, out.getvalue().splitlines()))
    told = "further lines of this kind were left out of the log"
    assert written == {**FEW, told: len(FEW)}


def test_a_library_s_line_is_capped_for_each_error() -> None:
    """asyncio logs with one line of code whatever nobody handled."""
    out = io.StringIO()
    with logging_to(out, service="low", level="info"):
        for error in (ValueError("a"), KeyError("b")):
            for _ in range(MOST + 1):
                logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert sum("exception" in line for line in written) == 2 * MOST
    assert [line["more"] for line in written if "more" in line] == [1, 1]


def test_what_was_left_out_is_told_once_its_minute_is_over() -> None:
    now = 0.0
    limited = Limited(lambda: now)

    def is_written() -> bool:
        try:
            limited(None, "warning", {"event": "e"})
        except structlog.DropEvent:
            return False
        return True

    with capture_logs() as told:
        assert sum(is_written() for _ in range(50)) == MOST
        now = EVERY_S - 1
        assert not is_written()
        assert told == []
        now = EVERY_S
        assert is_written()
        limited.end()
    assert [(line["what"], line["more"]) for line in told] == [("e", 51 - MOST)]
