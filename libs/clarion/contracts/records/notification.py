"""A notification as published: the HTTP body and the Kafka value (JSON)."""

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
    """What a sender says, whoever it is for."""

    v: Annotated[int, Meta(ge=1)] = msgspec.field(default_factory=_version)  # a factory, so that it is on the wire
    type: Type
    message: Message
    priority: Lane = Lane.NORMAL
    data: dict[str, Any] = {}
    expires_at: Moment | None = None
    deliver_at: Moment | None = None
    collapse_key: Name | None = None


class Notification(Content, kw_only=True, omit_defaults=True):
    """One notification to one recipient. On Kafka, unknown fields are ignored: versions only add fields."""

    recipient: Name
    sender: Name
    id: Id | None = None
    created_at: Moment | None = None


class Submission(Content, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The HTTP body: for one `recipient` or for many `recipients`; unknown fields are errors."""

    recipient: Name | None = None
    recipients: Annotated[list[Name], Meta(min_length=1, max_length=limits.RECIPIENTS)] | None = None
    sender: Name | None = None


class Invalid(ValueError):
    """A value outside its contract, with what a sender needs to mend it."""

    def __init__(self, pointer: str, code: str, limit: int | str | None, detail: str) -> None:
        super().__init__(f"{pointer or 'body'}: {detail}")
        self.pointer: Final = pointer  # RFC 6901, "" for the whole
        self.code: Final = code
        self.limit: Final = limit
        self.detail: Final = detail


T = TypeVar("T")

_CONTAINERS: Final = frozenset({dict, list})
_encoder = msgspec.json.Encoder()
_ordered = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Notification)


def encode(notification: Notification) -> bytes:
    return _encoder.encode(notification)


def decode(value: bytes) -> Notification:
    """Decode and check a record.

    Raises `Invalid`: whatever the bytes are, nothing else comes out, so that one bad record never fails its window.
    """
    if len(value) > limits.RECORD_BYTES:
        raise Invalid("", "too_large", limits.RECORD_BYTES, f"a record has at most {limits.RECORD_BYTES} bytes")
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
    """Any record of ours, by its decoder. Raises `Invalid`, whatever the bytes are, and nothing else."""
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("", "undecodable", None, str(error)) from error


def digest(item: Notification) -> bytes:
    """Of what it says, whenever it was created and however its keys are ordered. Stored: it must never change."""
    moments = [rfc3339(moment) if moment else None for moment in (item.expires_at, item.deliver_at)]
    content = (
        *(item.recipient, item.sender, item.type, item.message, item.priority, item.data, item.collapse_key),
        *moments,
    )
    return sha256(_ordered.encode(content)).digest()


def is_in_utc(item: Notification) -> bool:
    """Whether `check_moments` has nothing to find."""
    return (
        (item.created_at is None or item.created_at.tzinfo is UTC)
        and (item.expires_at is None or item.expires_at.tzinfo is UTC)
        and (item.deliver_at is None or item.deliver_at.tzinfo is UTC)
    )


def is_harmless(value: bytes, data: Mapping[str, Any]) -> bool:
    """Whether the `data` decoded from the record `value` needs no look: it can be neither too large nor too deep.

    Compact JSON is at most five times as long as what it was read from (1e15 becomes 1000000000000000.0).
    """
    return len(value) <= limits.DATA_BYTES // 8 and (
        _CONTAINERS.isdisjoint(map(type, data.values())) or value.count(b"{") + value.count(b"[") <= limits.DATA_DEPTH
    )


def check_name(pointer: str, name: str) -> None:
    """A user or a service must be one that a token can name and an address can hold. Raises `Invalid`."""
    if fault := names.fault_of(name):
        raise Invalid(pointer, "name", limits.NAME_CHARS, fault)


def check_message(message: str) -> None:
    """Raises `Invalid` for what no reader can see: it would ring, and show nothing."""
    if not visible.shows_something(message):
        detail = f"shows nothing, it has only {visible.blanks(message)}: send at least one character that can be seen"
        raise Invalid("/message", "blank", None, detail)


def check_headers(headers: Iterable[tuple[str, bytes]]) -> None:
    """What a compressed batch has brought in may be too large to be sent on. Raises `Invalid`."""
    size, most = sum(len(name) + len(content or b"") for name, content in headers), limits.HEADERS_BYTES
    if size > most:
        raise Invalid("", "too_large", most, f"a record has at most {most} bytes of headers, this one {size}")


def check_moments(content: Content) -> None:
    """Times must exist in UTC, too: `9999-12-31T23:59:59-01:00` does not. Raises `Invalid`."""
    for name in ("created_at", "expires_at", "deliver_at"):
        moment: datetime | None = getattr(content, name, None)
        if moment is None:
            continue
        try:
            moment.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise Invalid(f"/{name}", "out_of_range", None, "is not a time in UTC") from error


def check_data(data: Mapping[str, Any]) -> None:
    """Size and depth of `data`, which no schema can say. Raises `Invalid`."""
    if not data:
        return
    if _too_deep(data, limits.DATA_DEPTH):
        raise Invalid("/data", "too_deep", limits.DATA_DEPTH, f"nests at most {limits.DATA_DEPTH} levels")
    try:
        size = len(_encoder.encode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise Invalid("/data", "unencodable", None, str(error)) from error
    if size > limits.DATA_BYTES:
        raise Invalid("/data", "too_large", limits.DATA_BYTES, f"has {size} bytes of JSON, at most {limits.DATA_BYTES}")


def _too_deep(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        children: Iterable[Any] = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        children = cast("list[Any]", value)
    else:
        return False
    return levels == 0 or any(_too_deep(child, levels - 1) for child in children)
