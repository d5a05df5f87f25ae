"""A disk of a few MiB, to fill."""

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tmpfs(place: Path, mib: int) -> Generator[Path]:
    """A disk of that size at `place`, for as long as the block runs. Raises OSError where nobody may mount one."""
    libc = ctypes.CDLL(None, use_errno=True)
    place.mkdir(parents=True, exist_ok=True)
    if libc.mount(b"tmpfs", str(place).encode(), b"tmpfs", 0, f"size={mib}m".encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a tmpfs cannot be mounted here: {os.strerror(number)}")
    try:
        yield place
    finally:
        libc.umount2(str(place).encode(), 2)
