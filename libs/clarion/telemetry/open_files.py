"""Counts this process's open file descriptors, without looking at each where the system allows it."""

from pathlib import Path
from typing import Final

_COUNTED: Final = Path("/proc/self/fd")
_LISTED: Final = Path("/dev/fd")


def open_files() -> int:
    """Return how many descriptors are open; 0 where the system does not tell, or none is left to read it with.

    Since 6.2, Linux says it as the size of the folder that has them. Listing that folder takes 4 ms for 5,000 sockets,
    which once a second was a third of what an idle gateway used.
    """
    try:
        return _COUNTED.stat().st_size or _listed(_COUNTED)
    except FileNotFoundError:  # no Linux
        return _listed(_LISTED)
    except OSError:
        return 0


def _listed(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir()) - 1  # the listing has a descriptor of its own
    except OSError:
        return 0
