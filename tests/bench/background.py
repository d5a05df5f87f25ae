"""What makes the load gives way to what is timed: on a machine of few cores one would wait for the other."""

import os
import sys
from typing import Final

_NICE: Final = 19


def give_way() -> None:
    """This process runs when nobody else wants to: its users and upstream services are elsewhere, in production."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICE)
