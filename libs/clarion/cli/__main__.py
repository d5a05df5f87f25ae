"""Runs the command `clarion`: the entry point of the script, and of `python -m clarion.cli`."""

import os
import signal
import sys
from types import FrameType
from typing import Final, NoReturn

_FIRST_PROCESS: Final = 1


def main() -> None:
    """Run the command, or leave with what to install: `pip install clarion` brings the Python SDK only."""
    _end_by_sigterm(os.getpid())
    try:
        from clarion.cli import main as command
    except ModuleNotFoundError as error:
        if (error.name or "clarion").partition(".")[0] == "clarion":
            raise
        sys.exit(f"The command clarion needs {error.name}, which is not installed: pip install 'clarion[server]'")
    command.main()


def _end_by_sigterm(pid: int) -> None:
    """Let SIGTERM end the first process of a container, as it ends any other process.

    Linux has no default action for a signal of process 1. A command without a handler of its own would be killed after
    the grace period, and so would a service that is told to end before it has set its handler.
    """
    if pid == _FIRST_PROCESS:
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)  # as shells tell that a signal ended a process


if __name__ == "__main__":
    main()
