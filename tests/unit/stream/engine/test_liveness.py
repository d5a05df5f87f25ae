"""Loops that stand still, and servers that refuse: what health says of both."""

import time
from typing import Any, cast

import pytest

from clarion.telemetry.health import Health
from services.stream.engine.pipeline import STUCK_S
from services.stream.scheduler.expire import ExpireLoop
from services.stream.scheduler.release import ReleaseLoop

NOTHING = cast(Any, None)


def test_a_loop_that_has_not_come_round_for_long_says_what_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    releasing, endings = ReleaseLoop(NOTHING, NOTHING, NOTHING, set), ExpireLoop(NOTHING, NOTHING, NOTHING)
    releasing._due = 3
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + STUCK_S - 1)
    assert (releasing.stuck(), endings.stuck()) == ("", "")
    monkeypatch.setattr(time, "monotonic", lambda: began + STUCK_S + 2)
    assert releasing.stuck() == "no notification was released for 122 s, and at least 3 are due"
    assert endings.stuck() == "expired notifications were not handled for 122 s"
    releasing.progress.made()
    endings.progress.made()
    assert (releasing.stuck(), endings.stuck()) == ("", "")


def test_what_a_server_refuses_degrades_a_process_and_leaves_it_ready_and_alive() -> None:
    health, said = Health("test", started=True), ["Kafka refuses it"]
    health.troubles.append(lambda: said[0])
    assert health.status() == ("degraded", said)
    assert (health.live(), health.unready()) == ([], [])
    health.failures.append(lambda: "stuck")
    assert health.status() == ("failing", ["stuck", *said])
    said[0] = ""
    assert health.status() == ("failing", ["stuck"])
