"""Read the lock of what the image has: names and versions, as far as they are for Linux and its Python."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packaging.markers import Marker
from packaging.utils import canonicalize_name

REPOSITORY: Final = Path(__file__).parent.parent.parent
_LINE: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")
# What holds in the image. Markers of the processor are true for x86-64 and ARM alike in the lock that there is.
_ENVIRONMENT: Final = {
    "sys_platform": "linux",
    "os_name": "posix",
    "platform_system": "Linux",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "python_version": "3.11",
    "python_full_version": "3.11.0",
}


class Locked(NamedTuple):
    """A package of the lock, by its normalised name."""

    name: str
    version: str


def read(text: str) -> Iterator[Locked]:
    """Yield what a lock with hashes names, without what is for other platforms."""
    for line in text.splitlines():
        if (found := _LINE.match(line)) is None:
            continue
        marker = found["marker"]
        if marker is None or Marker(marker).evaluate(_ENVIRONMENT):
            yield Locked(canonicalize_name(found["name"]), found["version"])


def of_image() -> list[Locked]:
    """Return the packages that the image installs."""
    return list(read((REPOSITORY / "requirements.txt").read_text()))
