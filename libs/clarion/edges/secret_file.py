"""A secret in a file, which is read anew for each use."""

import logging
from pathlib import Path
from typing import Final

from clarion.edges.errors import EdgeError

log = logging.getLogger(__name__)


class Secret:
    """A secret that is `given`, or the content of the file at `path`, without the white space around it.

    A file that cannot be read any more, as while it is being replaced, is told in the log, and what it had stays in
    use. Neither `repr` nor an error has the secret in it.
    """

    def __init__(self, variable: str, given: str = "", path: str = "") -> None:
        self._variable: Final = variable
        self._path: Final = path
        self._last = given

    def __repr__(self) -> str:
        return f"Secret({self._variable}{'_FILE=' + self._path if self._path else ''})"

    def read(self) -> str:
        """Return the secret. Raises `EdgeError` if its file could never be read, or there is none."""
        if self._path:
            try:
                self._last = Path(self._path).read_text().strip() or self._last
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                if not self._last:
                    raise EdgeError(
                        f"{self._variable}_FILE={self._path}", f"cannot be read ({why})", "name a file that exists"
                    ) from None
                log.warning("%r cannot be read (%s), and what it had stays in use", self, why)
        if not self._last:
            where = f"{self._variable}_FILE" if self._path else self._variable
            raise EdgeError(where, "is empty", f"write the secret there, or name a file by {self._variable}_FILE")
        return self._last
