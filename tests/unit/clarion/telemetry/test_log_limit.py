"""The log stays small under a flood, and says how much it left out."""

import io
import json
from typing import Any

import structlog

from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.telemetry import metrics
from clarion.telemetry.log_limit import EVERY_S, FEW, LogLimit
from clarion.telemetry.logs import logging_to
from services.stream.steps.dead_letters import report
from tests.unit.clarion.contracts.test_dead_letters import NOW

FLOOD = 10_000


def letter(offset: int, topic: str = "notifications.low") -> DeadLetter:
    return DeadLetter(b"x", None, Reason.INVALID, "body: no", topic, 0, offset, 1, NOW, NOW)


def counted() -> float:
    value: Any = metrics.dead_lettered.labels(Reason.INVALID)._value
    return value.get()


def test_a_flood_of_dead_letters_is_a_few_lines_with_the_number_of_the_rest_and_each_is_counted() -> None:
    stream = io.StringIO()
    before: float = counted()
    with logging_to(stream, service="low", level="info"):
        report(letter(n) for n in range(FLOOD))
        report([letter(1, "receipts")])
        structlog.get_logger().info("something else")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == FEW + 3
    (summary,) = [line for line in lines if "more" in line]
    assert (summary["what"], summary["more"]) == ("a record became a dead letter", FLOOD - FEW)
    assert (summary["reason"], summary["topic"], summary["offset"]) == ("invalid", "notifications.low", FLOOD - 1)
    assert counted() == before + FLOOD + 1


def test_each_kind_has_its_own_minute_and_what_is_remembered_is_bounded() -> None:
    limit = LogLimit()
    assert sum(limit.admits({"event": "e", "topic": "a"}, 0.0) for _ in range(50)) == FEW
    assert limit.admits({"event": "e", "topic": "b"}, 30.0)
    assert limit.over(EVERY_S - 1) == []
    assert limit.over(EVERY_S) == [(50 - FEW, {"event": "e", "topic": "a"})]
    assert limit.admits({"event": "e", "topic": "a"}, EVERY_S)
    said = sum(limit.admits({"event": f"e{n}"}, EVERY_S) for n in range(5_000))
    assert said < 1_100
