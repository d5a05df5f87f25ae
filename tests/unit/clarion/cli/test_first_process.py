"""SIGTERM ends a command that is the first process of a container, where Linux does nothing by default."""

import signal
import subprocess
import sys

from clarion.cli.__main__ import _end_by_sigterm

# A process that takes itself for the first one: it ends as that one would, and not by the default action.
PRETENDING = """
import os, signal, sys
os.getpid, own = (lambda: 1), os.getpid()
from clarion.cli.__main__ import main
class Instead:
    def main(self):
        os.kill(own, signal.SIGTERM)
        print("went on")
sys.modules["clarion.cli.main"] = Instead()
import clarion.cli
clarion.cli.main = Instead()
main()
"""


def test_sigterm_ends_a_command_that_is_process_1() -> None:
    done = subprocess.run([sys.executable, "-c", PRETENDING], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, ""), done.stderr


def test_another_process_keeps_the_default_of_sigterm() -> None:
    before = signal.getsignal(signal.SIGTERM)
    _end_by_sigterm(4711)
    assert signal.getsignal(signal.SIGTERM) is before
