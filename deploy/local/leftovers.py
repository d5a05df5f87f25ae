"""End what a supervisor left that was killed. On Linux that is nothing: there processes end with their supervisor."""

from contextlib import suppress
from typing import Final

import psutil

from deploy.local import state

_ENDS_WITHIN_S: Final = 10.0


def find(known: state.StackState) -> list[psutil.Process]:
    """Return the processes of a stack that still run."""
    return [process for noted in known.processes.values() if (process := state.find(noted))]


def end(left: list[psutil.Process]) -> None:
    """End processes by SIGTERM, and by SIGKILL those that have not ended within 10 s."""
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=_ENDS_WITHIN_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
