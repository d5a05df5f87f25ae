"""Loops that stand still, and what health says of them."""

import time
from typing import Any, cast

import pytest

from services.stream.engine.pipeline import STUCK_S
from services.stream.scheduler.expire import ExpireLoop
from services.stream.scheduler.release import ReleaseLoop

NOTHING = cast(Any, None)


def test_a_loop_that_does_not_come_round_says_what_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
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
