"""Records on `deliveries.urgent` and `deliveries`: what one gateway's mailbox receives. One kind a record."""

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
    """A client's item. It is encoded once, by the lane, and travels as bytes from there to the client's parser.

    `ord` stays the last field: `unstored_body` cuts it off. Items of earlier versions have no `available_at`.
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
    """An item on its way to its recipient; `body` is the encoded `Item`, which a gateway need not decode."""

    recipient: Name
    lane: Lane
    ord: JsonOrder
    id: str
    body: msgspec.Raw


class Items(msgspec.Struct, tag_field="kind", tag="items"):
    items: list[Addressed]
    v: int = 1


class Early(msgspec.Struct, gc=False):
    """An item that goes out before it is stored, to whoever has its recipient; `body` ends as `unstored_body` says."""

    recipient: Name
    lane: Lane
    id: str
    body: msgspec.Raw


class Unstored(msgspec.Struct, tag_field="kind", tag="unstored"):
    """Urgent items while MongoDB is slow or away. They move no cursor: once stored, they come again as `Items`.

    See D-early-no-cursor.
    """

    items: list[Early]
    v: int = 1


class Sync(msgspec.Struct, tag_field="kind", tag="sync"):
    """The server's state changed: `unread` is its count (capped), clients never count by themselves."""

    recipient: Name
    op: Op
    ids: Annotated[list[Annotated[str, Meta(max_length=ID_CHARS)]], Meta(max_length=limits.IDS_PER_FRAME)]
    unread: Annotated[int, Meta(ge=0)]
    v: int = 1


class Fence(msgspec.Struct, tag_field="kind", tag="fence"):
    """The first record of a mailbox's new owner (D-fence).

    A gateway that reads a fence above its own epoch has lost its lease (D-owner-closes).
    """

    epoch: int
    owner: str
    v: int = 1


class Control(msgspec.Struct, tag_field="kind", tag="control"):
    """Said to gateways, not to clients.

    `disconnect`: `user`'s tokens issued before `before` are refused. `ack`: `user`'s stream `session` has handled
    everything up to `tag`.
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
    return _encoder.encode(record)


def decode(value: bytes | None) -> Delivery:
    """Decode and check a record. Raises `Invalid`, whatever the bytes are, and nothing else.

    Bodies go from here into frames as they are, undecoded: one that is not UTF-8, not an object, or more than a line
    would end the connection of every client that gets it.
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
        # of the whole record at once: a look at each body takes as long as the rest of a gateway's reading
        if b"\n" in value or b"\r" in value or value.count(b'"body":{') < len(record.items):
            raise Invalid("/items", "invalid", None, "a body is not a JSON object in one line")
    return record


def content(body: bytes) -> tuple[object, ...]:
    """What an encoded item says, apart from its id, its time and its place."""
    item = _item_decoder.decode(body)
    return (item.type, item.message, item.sender, item.data, item.expires_at, item.lane)


def body(notification: Notification, lane: Lane, ord_: int, available_at: datetime | None = None) -> bytes:
    """The client's item of a notification whose id and `created_at` are set; available since then, or since another."""
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
    """The same item for a client that gets it early: it says `unstored`, and has no place in the order yet."""
    return body[: body.rindex(b',"ord":[')] + b',"unstored":true}'
