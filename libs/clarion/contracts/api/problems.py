"""Problem details for HTTP (RFC 9457), and how a decoding error becomes one that names the field."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.lanes import LANES
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.notification import Invalid


class FieldError(msgspec.Struct, omit_defaults=True):
    """What is wrong with one field.

    `pointer` is a JSON pointer (RFC 6901), empty for the whole. `code` is for programs, `detail` for people. `limit` is
    what would have been right.
    """

    pointer: str
    code: str
    detail: str
    limit: int | str | None = None


def _no_type() -> str:
    return "about:blank"


class Problem(msgspec.Struct, omit_defaults=True):
    """Problem details (RFC 9457). `type` stays the same from release to release; `errors` name the wrong fields."""

    title: str
    status: int
    detail: str
    type: str = msgspec.field(default_factory=_no_type)  # a factory, so that the default is encoded, too
    errors: list[FieldError] = []


MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:clarion:problem:"
KEY_REUSED: Final = f"{_URN}idempotency-key-reused"
TYPES: Final = {
    400: f"{_URN}malformed",
    401: f"{_URN}unauthenticated",
    403: f"{_URN}forbidden",
    404: f"{_URN}not-found",
    405: f"{_URN}method-not-allowed",
    408: f"{_URN}timeout",
    409: f"{_URN}conflict",
    413: f"{_URN}too-large",
    415: f"{_URN}media-type",
    422: f"{_URN}invalid",
    426: f"{_URN}upgrade-required",
    429: f"{_URN}limit",
    431: f"{_URN}headers-too-large",
    500: f"{_URN}unexpected",
    503: f"{_URN}unavailable",
}


def problem_of(status: int, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """Return the problem details with which Clarion answers this status."""
    is_reused = any(error.code == "key_reused" for error in errors)
    type_ = KEY_REUSED if is_reused else TYPES.get(status, _no_type())
    return Problem(HTTPStatus(status).phrase, status, detail, type_, list(errors))


def last_answer(status: int, detail: str, *headers: str) -> bytes:
    """Return a whole HTTP/1.1 answer that ends its connection, for code that has no application behind it."""
    body = msgspec.json.encode(problem_of(status, detail))
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_ENUMS: Final = {"priority": "|".join(LANES), "reason": "|".join(Reason)}  # by field, the values that there are
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
# what msgspec says and the code for it; the group `limit` of the message is the limit
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
    """Return which field an error of a decoder or a check is about, what is wrong, and its limit."""
    if isinstance(error, Invalid):
        return FieldError(error.pointer, error.code, error.detail, error.limit)
    if isinstance(error, RecursionError):
        return FieldError("", "too_deep", f"the JSON nests deeper than {limits.DATA_DEPTH} levels", limits.DATA_DEPTH)
    if not isinstance(error, msgspec.ValidationError):
        return FieldError("", "malformed", f"the text is not valid JSON: {error}")
    text = str(error)
    path = _PATH.search(text)
    pointer = _pointer(path["path"]) if path else ""
    message = _PATH.sub("", text)
    for pattern, code in _KINDS:
        if found := pattern.search(message):
            groups = found.groupdict()
            limit = _ENUMS.get(pointer.rpartition("/")[2]) if code == "unknown_value" else groups.get("limit")
            if name := groups.get("field"):
                pointer += f"/{_escaped(name)}"
            return FieldError(pointer, code, message, int(limit) if limit and limit.lstrip("-").isdigit() else limit)
    return FieldError(pointer, "invalid", message)


def _pointer(path: str) -> str:
    """Return a JSON pointer for msgspec's path: `/data` for `.data[...]`, as msgspec does not say which key it was."""
    steps = [name or index for name, index in _STEP.findall(path)]
    return "".join(f"/{_escaped(step)}" for step in steps if step != "...")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
