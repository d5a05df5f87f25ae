"""What may be the name of a user or a service: it stands in keys, documents, logs, addresses and JSON alike."""

import re
from typing import Final

from clarion.contracts import limits

# Control characters break lines of logs. A lone surrogate, such as half of an emoji, has no encoding in UTF-8:
# whatever is written with it fails, and a batch of others' writes with it.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DOTS: Final = frozenset({".", ".."})  # a path's own: a client that follows the URL standard removes them


def is_plain(name: str) -> bool:
    """Whether `fault_of` surely finds nothing in a name of the right length, for less than it costs."""
    return name.isprintable() and name not in _DOTS


def fault_of(name: str) -> str:
    """Why `name` cannot be one, to be put behind a field's name; empty when it can."""
    if not 0 < len(name) <= limits.NAME_CHARS:
        return f"must have 1 to {limits.NAME_CHARS} characters"
    if name in _DOTS:
        return "must not be `.` or `..`, which no address can hold"
    if _UNFIT.search(name):
        return "must be text without control characters and without halves of characters (lone surrogates)"
    return ""
