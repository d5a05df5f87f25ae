"""Run a command that dies with the process that started it: `python tether.py PARENT_PID COMMAND…` (Linux).

The kernel sends SIGKILL when the parent ends, however it ends, so that a supervisor that is killed leaves no orphan.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel to end this process with its parent, then run the command in its place."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # the parent ended before the line above
        sys.exit("the parent process has ended already")
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the point


if __name__ == "__main__":
    main()
