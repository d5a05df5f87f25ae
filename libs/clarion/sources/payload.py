"""Reading foreign JSON: whatever a field is, a path through it yields a value of the wanted type, or nothing."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

# @login as GitHub has it: not after a letter, a digit or a slash (which would be an address or a path)
_MENTION: Final = re.compile(r"(?<![\w/.@-])@([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))\b(?![\w.]*@)")
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def at(value: Any, *path: str) -> Any:
    """`value[path[0]][path[1]]…`, or None as soon as there is nothing to go into."""
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(step)
    return value


def text(value: Any, *path: str) -> str:
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Any, *path: str) -> list[Any]:
    found = at(value, *path)
    return cast("list[Any]", found) if isinstance(found, list) else []


def person(value: Any, *path: str) -> str:
    """The login of a user, and nothing for an organization or a bot: neither reads notifications."""
    user = at(value, *path)
    if text(user, "type") in ("Organization", "Bot"):
        return ""
    return text(user, "login")


def mentions(body: str) -> list[str]:
    """Logins mentioned in Markdown, without those in code."""
    return list(dict.fromkeys(_MENTION.findall(_CODE.sub(" ", body))))
