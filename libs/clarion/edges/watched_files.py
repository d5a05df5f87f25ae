"""Files whose changes somebody follows by looking now and then, such as when a connection is made."""

from collections.abc import Iterable
from os import stat_result
from pathlib import Path
from typing import Final

_Stamp = tuple[tuple[int, int, int], ...]


class WatchedFiles:
    """Tells when one of `paths` has changed. Empty paths are left out.

    A look costs one `stat` a file. It sees a file that is written over and one that is replaced, also by a link to a
    folder that is turned to another one, as Kubernetes does with Secrets.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths: Final = tuple(path for path in paths if path)
        self._taken: _Stamp | None = None

    def changed(self) -> _Stamp | None:
        """Return a stamp to `take` if a file is not what was taken last; None if all are. Raises OSError.

        What changes while it is read has another stamp than the one that is taken, so it is read again next time.
        """
        found = tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in map(_stat, self.paths))
        return None if found == self._taken else found

    def take(self, stamp: _Stamp) -> None:
        """Remember that what the files had at `stamp` is in use."""
        self._taken = stamp


def _stat(path: str) -> stat_result:
    return Path(path).stat()
