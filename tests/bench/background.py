"""Users' sockets give way to what is timed: on a machine of few cores one would wait for the other.

In production Kafka, upstream services and users are elsewhere, and a gateway has a core. Here Linux's fair scheduler
lets a process that wakes up wait for the slice (3 ms) of the one it finds running, though the other core has only load
to run: a bare reader of the same records, with nothing to do, then waits 2.5 times as long beside bulk as without.
"""

import os
import sys
from typing import Final

_NICE: Final = 19


def give_way() -> None:
    """This process runs when nobody else wants to: users are elsewhere, in production."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICE)


def go_first() -> bool:
    """This process, and those it starts, run before all others; whether the machine allows that (root, mostly)."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


def as_usual() -> None:
    """This process, and those it starts from now on, run as processes usually do, which takes back `go_first`."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
