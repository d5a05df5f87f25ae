"""Client protocol `clarion.v1`: JSON text frames with the discriminator `op`."""

from typing import Annotated, Final, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clarion.contracts import limits
from clarion.contracts.ids import UUID_PATTERN, canonical
from clarion.contracts.lanes import Lane
from clarion.contracts.order import JsonOrder
from clarion.contracts.records.receipts import Op

SUBPROTOCOL: Final = "clarion.v1"
BEARER_PREFIX: Final = "bearer."

Ids = Annotated[list[Annotated[str, Meta(pattern=UUID_PATTERN)]], Meta(min_length=1, max_length=limits.IDS_PER_FRAME)]
Since = Annotated[str, Meta(max_length=40)]


# ---- client → server


class _Client(msgspec.Struct, tag_field="op", tag=str.lower, forbid_unknown_fields=True):
    pass


class Resume(_Client):
    """First, from every SDK: how far each lane was handled, and the `since` kept with it; empty when fresh.

    `user` and `deployment`, as `hello` told them when that was kept: of others, none of it counts.
    """

    cursors: dict[Lane, JsonOrder] = {}
    since: Since | None = None
    user: Annotated[str, Meta(max_length=1_024)] | UnsetType = UNSET
    deployment: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class Ack(_Client):
    """Everything sent up to `tag` is handled."""

    tag: Annotated[int, Meta(ge=1)]


class Read(_Client):
    ids: Ids


class Unread(_Client):
    ids: Ids


class Archive(_Client):
    ids: Ids


class Auth(_Client):
    """A fresh token for the same user; the connection ends when its token does."""

    token: Annotated[str, Meta(max_length=limits.HEADER_BYTES)]


class Pong(_Client):
    pass


ClientFrame = Resume | Ack | Read | Unread | Archive | Auth | Pong


# ---- server → client


class _Server(msgspec.Struct, tag_field="op", tag=str.lower):
    pass


class Hello(_Server):
    """`window` and `window_bytes`: how much may be unacknowledged; `unread` is None when the store did not answer.

    `since` is kept by whoever has none: cut off before anything came, it has been here, and is owed what followed.
    What is kept belongs to this `user` of this `deployment`: with another one it begins again.
    """

    session: str
    ping_s: float
    window: int
    window_bytes: int
    unread: int | None
    resumed: bool
    degraded: bool
    since: str | None = None
    user: str | None = None
    deployment: str | None = None


class ServerSync(_Server, tag="sync"):
    """The user's state changed elsewhere. `change` says how; `unread` is the server's count, up to UNREAD_CAP."""

    change: Op
    ids: list[str]
    unread: int


class Resync(_Server):
    """More happened than can be said here: read the inbox. `forget`: cursors that are of no lane of today's."""

    forget: list[Lane] | UnsetType = UNSET


class Ping(_Server):
    since: str | None


class Bye(_Server):
    """Sent before a close; come back after `retry_ms` plus jitter."""

    reason: str
    retry_ms: int


class Error(_Server):
    code: str
    detail: str


class Batch(_Server):
    """Items in lane order. `tag` counts from 1; `since` is kept once everything before it is handled."""

    tag: int
    items: list[msgspec.Raw]
    since: str | None


ServerFrame = Hello | Batch | ServerSync | Resync | Ping | Bye | Error


class _Op(msgspec.Struct):
    op: str


_SERVER_OPS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(ServerFrame))


class Received(msgspec.Struct):
    """An item as a client reads it; `unstored` ones have no place in the order yet.

    `available_at` is when its user could have it first: of what was scheduled, later than `created_at`. The inbox is in
    its order. What an earlier version stored has none: then it is `created_at`.
    """

    id: str
    type: str
    message: str
    sender: str
    data: dict[str, object]
    created_at: str
    lane: Lane
    ord: JsonOrder | None = None
    expires_at: str | None = None
    unstored: bool = False
    available_at: str | None = None


_encoder = msgspec.json.Encoder()
_client_decoder = msgspec.json.Decoder(ClientFrame)
_server_decoder = msgspec.json.Decoder(ServerFrame)
_op_decoder = msgspec.json.Decoder(_Op)
_item_decoder = msgspec.json.Decoder(Received)


def encode(frame: ServerFrame | ClientFrame) -> bytes:
    return _encoder.encode(frame)


def decode_client(text: bytes) -> ClientFrame:
    """Raises msgspec.DecodeError (close 4400)."""
    frame = _client_decoder.decode(text)
    if isinstance(frame, Read | Unread | Archive):
        frame.ids = canonical(frame.ids)
    return frame


def decode_server(text: bytes | str) -> ServerFrame:
    return _server_decoder.decode(text)


def decode_known(text: bytes) -> ServerFrame | None:
    """As `decode_server`; None for a frame of a later version, to be passed over. Raises msgspec.DecodeError."""
    try:
        return decode_server(text)
    except msgspec.ValidationError:
        if _op_decoder.decode(text).op in _SERVER_OPS:
            raise
        return None


def decode_item(body: msgspec.Raw) -> Received:
    return _item_decoder.decode(body)
