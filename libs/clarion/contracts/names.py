"""What may be the name of a user or a service. A name is used in keys, documents, logs, addresses and JSON alike."""

import re
from typing import Final

from clarion.contracts import limits

# Control characters break lines of logs. A lone surrogate, such as half of an emoji, has no encoding in UTF-8: each
# write with it fails, and so does a batch that holds such a write.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DOTS: Final = frozenset({".", ".."})  # have a meaning in paths: a client that follows the URL standard removes them


def is_plain(name: str) -> bool:
    """Return True only if `fault_of` finds nothing in a name of the right length; False leaves it open. Costs less."""
    return name.isprintable() and name not in _DOTS


def fault_of(name: str) -> str:
    """Return why `name` is not allowed, as a text to follow the name of the thing; empty if it is allowed."""
    if not 0 < len(name) <= limits.NAME_CHARS:
        return f"must have 1 to {limits.NAME_CHARS} characters"
    if name in _DOTS:
        return "must not be `.` or `..`, which no path of a URL can hold"
    if _UNFIT.search(name):
        return "must not have control characters or lone surrogates (halves of characters)"
    return ""
