"""A slow link: `tc` in the network of one container, from this machine."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import pytest

WITHIN_S: Final = 10
DELAY_MS: Final = 80
# Kernels without netem have a bucket at least: what does not fit into it waits.
_NETEM: Final = ("netem", "delay", f"{DELAY_MS}ms", "20ms")
_BUCKET: Final = ("tbf", "rate", "4mbit", "burst", "8kb", "latency", "400ms")


@contextmanager
def slowed(container: Any) -> Generator[str]:
    """Slow what a container sends, and say how. Skips where this machine cannot do it to containers."""
    for tool in ("nsenter", "tc"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here: apt-get install util-linux iproute2")
    container.reload()
    within = ["nsenter", "--target", str(container.attrs["State"]["Pid"]), "--net", "tc", "qdisc"]
    how = _NETEM
    refused = _run([*within, "add", "dev", "eth0", "root", *how])
    if "unknown" in refused:
        how = _BUCKET
        refused = _run([*within, "add", "dev", "eth0", "root", *how])
    if refused:
        pytest.skip(f"links of containers cannot be slowed from here: {refused}")
    try:
        yield how[0]
    finally:
        assert not _run([*within, "del", "dev", "eth0", "root"])


def _run(command: list[str]) -> str:
    """What a command says when it fails; empty when it does not."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    return (done.stderr.strip() or f"code {done.returncode}") if done.returncode else ""
