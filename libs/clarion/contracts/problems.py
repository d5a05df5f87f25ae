"""Problem details for HTTP (RFC 9457), and how a decoding error becomes one that names the field."""

import re
from typing import Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.lanes import LANES
from clarion.contracts.notification import Invalid


class FieldError(msgspec.Struct, omit_defaults=True):
    """`pointer` is RFC 6901; `limit` is what would have been right."""

    pointer: str
    code: str
    detail: str
    limit: int | str | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[FieldError] = []


MEDIA_TYPE: Final = "application/problem+json"

_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
# what msgspec says → our code, and which group of the message is the limit
_KINDS: Final = [
    (re.compile(r"Object missing required field `(?P<field>[^`]+)`"), "required"),
    (re.compile(r"Object contains unknown field `(?P<field>[^`]+)`"), "unknown_field"),
    (re.compile(r"length <= (?P<limit>\d+)"), "too_long"),
    (re.compile(r"length >= (?P<limit>\d+)"), "too_short"),
    (re.compile(r"matching regex '(?P<limit>.+)'"), "pattern"),
    (re.compile(r"`int` (?:<=|>=|<|>) (?P<limit>-?\d+)"), "out_of_range"),
    (re.compile(r"Invalid enum value"), "unknown_value"),
    (re.compile(r"timezone"), "timezone"),
    (re.compile(r"Invalid RFC3339"), "time"),
    (re.compile(r"Expected `(?P<limit>[^`]+)`, got"), "type"),
]


def field_error(error: Exception) -> FieldError:
    """Name the field, the limit and the cure in what a decoder or a check complained about."""
    if isinstance(error, Invalid):
        return FieldError(error.pointer, error.code, error.detail, error.limit)
    if isinstance(error, RecursionError):
        return FieldError("", "too_deep", f"nests at most {limits.DATA_DEPTH} levels", limits.DATA_DEPTH)
    if not isinstance(error, msgspec.ValidationError):
        return FieldError("", "malformed", f"not valid JSON: {error}")
    text = str(error)
    path = _PATH.search(text)
    pointer = _pointer(path["path"]) if path else ""
    message = _PATH.sub("", text)
    for pattern, code in _KINDS:
        if found := pattern.search(message):
            groups = found.groupdict()
            limit = "|".join(LANES) if code == "unknown_value" else groups.get("limit")  # priority: the only enum
            if name := groups.get("field"):
                pointer += f"/{_escaped(name)}"
            return FieldError(pointer, code, message, int(limit) if limit and limit.lstrip("-").isdigit() else limit)
    return FieldError(pointer, "invalid", message)


def _pointer(path: str) -> str:
    """`.data[...]` → `/data`: msgspec does not say which key of a free-form object it was."""
    steps = [name or index for name, index in _STEP.findall(path)]
    return "".join(f"/{_escaped(step)}" for step in steps if step != "...")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
