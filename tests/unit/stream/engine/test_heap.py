"""What a lane frees with a window it keeps for the next one."""

import subprocess
import sys

import pytest

_WINDOWS = """
import resource
from services.stream.engine.heap import keep_freed_memory

def faults():
    for _ in range(20):
        window = [bytes(1_000) for _ in range(2_000)]
        del window
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if {kept}:
    keep_freed_memory()
warm = faults()
print(faults() - warm)
"""


def _page_faults(*, kept: bool) -> int:
    command = [sys.executable, "-c", _WINDOWS.format(kept=kept)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the setting")
def test_a_window_takes_the_pages_of_the_one_before() -> None:
    assert _page_faults(kept=True) < 50 < 5_000 < _page_faults(kept=False)
