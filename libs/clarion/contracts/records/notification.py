"""A notification as it is published: the body of a request, and the value of a record (JSON)."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from msgspec import Meta

from clarion.contracts import limits, names, visible
from clarion.contracts.ids import UUID_PATTERN
from clarion.contracts.lanes import Lane
from clarion.contracts.times import rfc3339

Name = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS)]
Type = Annotated[str, Meta(pattern=limits.TYPE_PATTERN)]
Message = Annotated[str, Meta(min_length=1, max_length=limits.MESSAGE_CHARS)]
Moment = Annotated[datetime, Meta(tz=True)]
Id = Annotated[str, Meta(pattern=UUID_PATTERN)]


def _version() -> int:
    return 1


class Content(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a notification says, without its sender and recipients."""

    v: Annotated[int, Meta(ge=1)] = msgspec.field(default_factory=_version)  # a factory, so that 1 is encoded, too
    type: Type
    message: Message
    priority: Lane = Lane.NORMAL
    data: dict[str, Any] = {}
    expires_at: Moment | None = None
    deliver_at: Moment | None = None
    collapse_key: Name | None = None


class Notification(Content, kw_only=True, omit_defaults=True):
    """One notification to one recipient. On Kafka, unknown fields are ignored, since versions only add fields."""

    recipient: Name
    sender: Name
    id: Id | None = None
    created_at: Moment | None = None


class Submission(Content, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is published: a notification to one `recipient`, or to each of `recipients`. Unknown fields are errors.

    `sender` is the caller; another one needs the scope `publish:any`. `type` has at most 64 of the characters
    `a-z0-9._-`, `message` at most 4,096 characters, `data` at most 16 KiB. `deliver_at` is at most 365 days ahead,
    `expires_at` at most 730; both have a time zone. Of one recipient's notifications with the same `priority` and
    `collapse_key`, the newest replaces those before it that nobody has read.
    """

    recipient: Name | None = None
    recipients: Annotated[list[Name], Meta(min_length=1, max_length=limits.RECIPIENTS)] | None = None
    sender: Name | None = None


class Invalid(ValueError):
    """A value is outside of its contract. The fields are those of `FieldError`, which tell a sender what to mend."""

    def __init__(self, pointer: str, code: str, limit: int | str | None, detail: str) -> None:
        super().__init__(f"{pointer or 'body'}: {detail}")
        self.pointer: Final = pointer  # RFC 6901, "" for the whole
        self.code: Final = code
        self.limit: Final = limit
        self.detail: Final = detail


T = TypeVar("T")

# What msgspec quotes of a record. The error is logged, and no log may say what a notification says.
_QUOTED: Final = re.compile(r"^(Invalid (?:enum )?value) (['\"]).*\2(?= - at `[^`]*`$|$)", re.DOTALL)
_CONTAINERS: Final = frozenset({dict, list})
_encoder = msgspec.json.Encoder()
_ordered = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Notification)


def encode(notification: Notification) -> bytes:
    """Return a notification as a record's value."""
    return _encoder.encode(notification)


def decode(value: bytes) -> Notification:
    """Decode and check a record.

    Raise `Invalid`, whatever the bytes are, and nothing else: so one bad record never fails its window.
    """
    if len(value) > limits.RECORD_BYTES:
        raise Invalid("", "too_large", limits.RECORD_BYTES, f"the record may have at most {limits.RECORD_BYTES} bytes")
    notification = decoded(_decoder, value)
    if notification.id is not None:
        notification.id = notification.id.lower()
    check_name("/recipient", notification.recipient)
    check_name("/sender", notification.sender)
    check_message(notification.message)
    if not is_in_utc(notification):
        check_moments(notification)
    if not is_harmless(value, notification.data):
        check_data(notification.data)
    return notification


def decoded(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    """Decode any of Clarion's records by its decoder. Raise `Invalid`, whatever the bytes are, and nothing else."""
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("", "undecodable", None, _QUOTED.sub(r"\1", str(error))) from error


def digest(item: Notification) -> bytes:
    """Return a digest of what a notification says, the same for any `created_at` and any order of keys.

    Digests are stored, so what is computed here must never change.
    """
    moments = [rfc3339(moment) if moment else None for moment in (item.expires_at, item.deliver_at)]
    content = (
        *(item.recipient, item.sender, item.type, item.message, item.priority, item.data, item.collapse_key),
        *moments,
    )
    return sha256(_ordered.encode(content)).digest()


def is_in_utc(item: Notification) -> bool:
    """Return True only if `check_moments` finds nothing, at less cost; False leaves it open."""
    return (
        (item.created_at is None or item.created_at.tzinfo is UTC)
        and (item.expires_at is None or item.expires_at.tzinfo is UTC)
        and (item.deliver_at is None or item.deliver_at.tzinfo is UTC)
    )


def is_harmless(value: bytes, data: Mapping[str, Any]) -> bool:
    """Return True only if the `data` in the record `value` can be neither too large nor too deep; False leaves it open.

    Compact JSON is at most five times as long as the JSON it was read from (1e15 becomes 1000000000000000.0).
    """
    return len(value) <= limits.DATA_BYTES // 8 and (
        _CONTAINERS.isdisjoint(map(type, data.values())) or value.count(b"{") + value.count(b"[") <= limits.DATA_DEPTH
    )


def check_name(pointer: str, name: str) -> None:
    """Check that a token can name this user or service, and an address can hold the name. Raise `Invalid`."""
    if fault := names.fault_of(name):
        raise Invalid(pointer, "name", limits.NAME_CHARS, f"the name {fault}")


def check_message(message: str) -> None:
    """Raise `Invalid` for a message in which a reader can see nothing: a device would ring and show nothing."""
    if not visible.shows_something(message):
        detail = (
            f"the message shows nothing, since it has only {visible.blanks(message)}: send a character that can be seen"
        )
        raise Invalid("/message", "blank", None, detail)


def check_headers(headers: Iterable[tuple[str, bytes]]) -> None:
    """Raise `Invalid` for headers that are too large to be sent on, as those of a compressed batch may be."""
    size, most = 0, limits.HEADERS_BYTES
    for name, content in headers:  # each record of ingest has one, and `sum` takes four times as long
        size += len(name) + len(content or b"")
    if size > most:
        raise Invalid("", "too_large", most, f"the record has {size} bytes of headers: it may have at most {most}")


def check_moments(content: Content) -> None:
    """Raise `Invalid` for a time without a zone, or that does not exist in UTC, such as `9999-12-31T23:59:59-01:00`."""
    for name in ("created_at", "expires_at", "deliver_at"):
        moment: datetime | None = getattr(content, name, None)
        if moment is None:
            continue
        if moment.tzinfo is None:
            raise Invalid(f"/{name}", "no_zone", None, "the time has no zone: give one, such as in datetime.now(UTC)")
        try:
            moment.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise Invalid(f"/{name}", "out_of_range", None, "the time has no year from 1 to 9999 in UTC") from error


def check_data(data: Mapping[str, Any]) -> None:
    """Check size and depth of `data`, which a schema cannot. Raise `Invalid`."""
    if not data:
        return
    if _too_deep(data, limits.DATA_DEPTH):
        raise Invalid("/data", "too_deep", limits.DATA_DEPTH, f"`data` nests deeper than {limits.DATA_DEPTH} levels")
    try:
        size = len(_encoder.encode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise Invalid("/data", "unencodable", None, str(error)) from error
    if size > limits.DATA_BYTES:
        detail = f"`data` has {size} bytes of JSON: it may have at most {limits.DATA_BYTES}"
        raise Invalid("/data", "too_large", limits.DATA_BYTES, detail)


def _too_deep(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        children: Iterable[Any] = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        children = cast("list[Any]", value)
    else:
        return False
    return levels == 0 or any(_too_deep(child, levels - 1) for child in children)
