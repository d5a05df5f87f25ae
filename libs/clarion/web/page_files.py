"""Serves the files of a page, with the headers that keep it from running anything else."""

import os
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept, but checked each time: an ETag that is the same gets 304
}
# Not the machine's own table of types: in some, .js is text/plain, and with `nosniff` a browser does not run that.
_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


class PageFiles(StaticFiles):
    """The files of a folder. `policy` is the Content-Security-Policy of the page that they belong to."""

    def __init__(self, directory: Path, policy: str) -> None:
        super().__init__(directory=directory)
        self._headers: Final = {"content-security-policy": policy, **_HEADERS}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the page's headers."""
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with its type from `_MEDIA_TYPES`."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if (media_type := _MEDIA_TYPES.get(Path(full_path).suffix)) and "content-type" in response.headers:
            response.headers["content-type"] = media_type
        return response
