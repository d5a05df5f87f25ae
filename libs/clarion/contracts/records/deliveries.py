"""Records on `deliveries.urgent` and `deliveries`: what one gateway's mailbox receives. Each record has one kind."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from clarion.contracts import limits, order
from clarion.contracts.ids import ID_CHARS, are_uuids
from clarion.contracts.lanes import Lane
from clarion.contracts.order import JsonOrder
from clarion.contracts.records.notification import Invalid, Name, Notification, decoded
from clarion.contracts.records.receipts import Op
from clarion.contracts.times import rfc3339


class Item(msgspec.Struct, gc=False, kw_only=True):
    """A notification as a client gets it. The lane encodes it once, and the bytes travel to the client's parser.

    `ord` must stay the last field, since `unstored_body` cuts it off. Items of earlier versions have no `available_at`.
    """

    id: str
    type: str
    message: str
    sender: str
    data: dict[str, Any]
    created_at: str
    available_at: str | None = None
    expires_at: str | None
    lane: Lane
    ord: JsonOrder


class Addressed(msgspec.Struct, gc=False):
    """An item on its way to its recipient. `body` is the encoded `Item`, which a gateway sends on undecoded."""

    recipient: Name
    lane: Lane
    ord: JsonOrder
    id: str
    body: msgspec.Raw


def _version() -> int:
    return 1


class Items(msgspec.Struct, omit_defaults=True, tag_field="kind", tag="items"):
    """Stored items, to be pushed to their recipients. `traces` has, by id, the `traceparent` of those sampled."""

    items: list[Addressed]
    traces: dict[str, str] | None = None
    v: int = msgspec.field(default_factory=_version)  # a factory, so that 1 is encoded, too


class Early(msgspec.Struct, gc=False):
    """An item that is sent before it is stored; `body` is what `unstored_body` returns."""

    recipient: Name
    lane: Lane
    id: str
    body: msgspec.Raw


class Unstored(msgspec.Struct, omit_defaults=True, tag_field="kind", tag="unstored"):
    """Urgent items that are sent before they are stored, while MongoDB is slow or away.

    They move no cursor, and come again as `Items` once they are stored (D-early-no-cursor).
    """

    items: list[Early]
    traces: dict[str, str] | None = None
    v: int = msgspec.field(default_factory=_version)


class Sync(msgspec.Struct, tag_field="kind", tag="sync"):
    """What changed for notifications of a user, to be told to the user's devices.

    `unread` is the store's count, which ends at UNREAD_CAP. Clients never count by themselves.
    """

    recipient: Name
    op: Op
    ids: Annotated[list[Annotated[str, Meta(max_length=ID_CHARS)]], Meta(max_length=limits.IDS_PER_FRAME)]
    unread: Annotated[int, Meta(ge=0)]
    v: int = 1


class Fence(msgspec.Struct, tag_field="kind", tag="fence"):
    """The first record that a mailbox's new owner writes into it (D-fence).

    A gateway that reads a fence with an epoch above its own has lost its lease (D-owner-closes).
    """

    epoch: int
    owner: str
    v: int = 1


class Control(msgspec.Struct, tag_field="kind", tag="control"):
    """A message to a gateway, not to clients.

    `disconnect` says that tokens of `user` that were issued before `before` are refused. `ack` says that the event
    stream `session` of `user` has handled everything up to `tag`.
    """

    op: Literal["disconnect", "ack"]
    user: Name
    before: Annotated[datetime, Meta(tz=True)] | None = None
    session: str | None = None
    tag: Annotated[int, Meta(ge=0)] = 0
    v: int = 1


Delivery = Items | Unstored | Sync | Fence | Control

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Delivery)
_item_decoder = msgspec.json.Decoder(Item)


def encode(record: Delivery) -> bytes:
    """Return a record's value."""
    return _encoder.encode(record)


def decode(value: bytes | None) -> Delivery:
    """Decode and check a record. Raise `Invalid`, whatever the bytes are, and nothing else.

    Bodies go from here into frames undecoded. So a body that is not UTF-8, not an object, or longer than one line would
    end the connection of every client that gets it.
    """
    value = value or b""
    record = decoded(_decoder, value)
    if isinstance(record, Items | Unstored):
        if not are_uuids([item.id for item in record.items]):
            raise Invalid("/items", "invalid", None, "an id is not a UUID")
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise Invalid("/items", "undecodable", None, str(error)) from error
        # the whole record at once: a look at each body takes as long as everything else that a gateway does to read it
        if b"\n" in value or b"\r" in value or value.count(b'"body":{') < len(record.items):
            raise Invalid("/items", "invalid", None, "a body is not a JSON object in one line")
    return record


def content(body: bytes) -> tuple[object, ...]:
    """Return what an encoded item says, without its id, its times of creation and availability, and its `ord`."""
    item = _item_decoder.decode(body)
    return (item.type, item.message, item.sender, item.data, item.expires_at, item.lane)


def body(notification: Notification, lane: Lane, ord_: int, available_at: datetime | None = None) -> bytes:
    """Encode the item of a notification whose `id` and `created_at` are set.

    The item is available since `available_at`, or else since `created_at`.
    """
    assert notification.id is not None
    assert notification.created_at is not None
    created_at = rfc3339(notification.created_at)
    other = available_at if available_at != notification.created_at else None
    item = Item(
        id=notification.id,
        type=notification.type,
        message=notification.message,
        sender=notification.sender,
        data=notification.data,
        created_at=created_at,
        available_at=rfc3339(other) if other else created_at,
        expires_at=rfc3339(notification.expires_at) if notification.expires_at else None,
        lane=lane,
        ord=order.unpack(ord_),
    )
    return _encoder.encode(item)


def unstored_body(body: bytes) -> bytes:
    """Return an encoded item for a client that gets it before it is stored: with `unstored` in place of `ord`."""
    return body[: body.rindex(b',"ord":[')] + b',"unstored":true}'
