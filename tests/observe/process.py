"""Run `clarion` on a quicker clock, for monitors, the observer and the console: `python -m tests.observe.process …`.

With OBSERVE_AHEAD_S its clock is that many seconds ahead.
"""

import os
import sys
import time
from contextlib import ExitStack
from unittest.mock import patch

from clarion.cli.__main__ import main
from clarion.rules.quickened import quickened
from clarion.rules.troubles import TROUBLES
from clarion.telemetry import monitor
from tests.observe import clocks


def _quicken(patched: ExitStack) -> None:
    quick = tuple(quickened(rule, clocks.TROUBLES) for rule in TROUBLES)
    patched.enter_context(patch.object(monitor, "TROUBLES", quick))
    patched.enter_context(patch.object(monitor, "LOOK_EVERY_S", monitor.LOOK_EVERY_S / clocks.LOOKS))
    if "observer" in sys.argv:
        from services.stream.observer import dead_letters, lag, mailboxes, servers

        for look in (dead_letters, lag, mailboxes, servers):
            patched.enter_context(patch.object(look, "_EVERY_S", look._EVERY_S / clocks.LOOKS))
    if "console" in sys.argv:
        from clarion.operating.overview import system_watch
        from services.console import live

        patched.enter_context(patch.object(system_watch, "TROUBLES", quick))
        for every in ("WATCHED_EVERY_S", "IDLE_EVERY_S"):  # nobody watches by the page
            patched.enter_context(patch.object(live, every, live.WATCHED_EVERY_S / clocks.LOOKS))
    if ahead := float(os.environ.get("OBSERVE_AHEAD_S", "0")):
        real = time.time
        patched.enter_context(patch.object(time, "time", lambda: real() + ahead))


if __name__ == "__main__":
    with ExitStack() as patched:
        _quicken(patched)
        main()
