"""How the C library treats memory that a window has freed: it is kept for the next window."""

import ctypes
from typing import Final

import structlog

log = structlog.get_logger()

KEPT_BYTES: Final = 64 * 1024 * 1024  # at the end of the heap; a lane's windows in flight have less
_LARGE_BYTES: Final = 32 * 1024 * 1024  # the most that glibc takes: what is smaller comes from the heap
# as <malloc.h> of glibc numbers them
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> None:
    """Let this process keep up to `KEPT_BYTES` that it has freed.

    glibc returns it to the kernel after each window and asks for it again for the next one, and the kernel has to clear
    each page of it: a twentieth of a lane's CPU. See mallopt(3). Other C libraries have no such setting, and are left
    as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not (mallopt(_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)):
        log.info("this C library gives freed memory back at once, which costs a lane some of its CPU")
