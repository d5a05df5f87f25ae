"""Reads JSON of other systems: whatever its fields are, a path yields a value of the wanted type, or nothing."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

# @login by GitHub's rules: not after a letter, a digit or a slash, which would make it an e-mail address or a path
_MENTION: Final = re.compile(r"(?<![\w/.@-])@([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))\b(?![\w.]*@)")
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def at(value: Any, *path: str) -> Any:
    """Return `value[path[0]][path[1]]…`, or None where the path leads to nothing."""
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(step)
    return value


def text(value: Any, *path: str) -> str:
    """Return the text at a path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Any, *path: str) -> list[Any]:
    """Return the list at a path, or an empty one."""
    found = at(value, *path)
    return cast("list[Any]", found) if isinstance(found, list) else []


def person(value: Any, *path: str) -> str:
    """Return the login of the user at a path; empty for an organization or a bot, which read no notifications."""
    user = at(value, *path)
    if text(user, "type") in ("Organization", "Bot"):
        return ""
    return text(user, "login")


def mentions(body: str) -> list[str]:
    """Return the logins that are mentioned in Markdown, without those in code."""
    return list(dict.fromkeys(_MENTION.findall(_CODE.sub(" ", body))))
