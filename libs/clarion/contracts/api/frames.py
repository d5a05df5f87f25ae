"""The client protocol `clarion.v1`: JSON text frames, whose `op` says what each is."""

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
    """The first frame of a client: the position at which it resumes, empty for a fresh client.

    `cursors` has the highest `ord` of each lane that is handled, and `since` the moment that was kept with them. `user`
    and `deployment` are what `hello` said when the position was kept. A position of others does not count.
    """

    cursors: dict[Lane, JsonOrder] = {}
    since: Since | None = None
    user: Annotated[str, Meta(max_length=1_024)] | UnsetType = UNSET
    deployment: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class Ack(_Client):
    """All batches up to `tag` are handled by the application."""

    tag: Annotated[int, Meta(ge=1)]


class Read(_Client):
    """Mark notifications as read."""

    ids: Ids


class Unread(_Client):
    """Mark notifications as unread."""

    ids: Ids


class Archive(_Client):
    """Move notifications from the inbox to the archive, where they count as read."""

    ids: Ids


class Auth(_Client):
    """A new token for the same user. Without one, the connection ends when its token does."""

    token: Annotated[str, Meta(max_length=limits.HEADER_BYTES)]


class Pong(_Client):
    """The answer to `ping`."""


ClientFrame = Resume | Ack | Read | Unread | Archive | Auth | Pong


# ---- server → client


class _Server(msgspec.Struct, tag_field="op", tag=str.lower):
    pass


class Hello(_Server):
    """The first frame of a gateway: the client is connected, and is sent notifications from now on.

    `window` and `window_bytes` are the credit: how many items, and bytes of items, may be unacknowledged. `unread` is
    null when the store did not answer; the connection is then `degraded`. `resumed` says that a cursor counted.
    `ping_s` is the time between two pings, in seconds.

    A client that has no `since` keeps this one: if the connection is lost before anything came, it still gets what came
    after this moment. A position belongs to this `user` of this `deployment`; with others a client begins again.
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
    """Something changed for these notifications of the user, on any device: show the same.

    `change` says what changed, and `unread` is the server's unread count, 100 at most.
    """

    change: Op
    ids: list[str]
    unread: int


class Resync(_Server):
    """More has changed than frames can tell: read the inbox, and count what is unread, again.

    `forget` names lanes whose cursors do not count any more: drop these.
    """

    forget: list[Lane] | UnsetType = UNSET


class Ping(_Server):
    """A sign of life, to be answered with `pong`. Keep `since`, unless null, once everything before it is handled."""

    since: str | None


class Bye(_Server):
    """The connection closes next. Come back after `retry_ms` milliseconds and a random delay."""

    reason: str
    retry_ms: int


class Error(_Server):
    """Something that the client said was not taken. `code` is for programs, `detail` for people."""

    code: str
    detail: str


class Batch(_Server):
    """Notifications, those of a lane in its order. Acknowledge them by `tag`, which counts from 1 on each connection.

    Keep `since`, unless null, once everything before it is handled.
    """

    tag: int
    items: list[msgspec.Raw]
    since: str | None


ServerFrame = Hello | Batch | ServerSync | Resync | Ping | Bye | Error


class _Op(msgspec.Struct):
    op: str


_SERVER_OPS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(ServerFrame))


class Received(msgspec.Struct):
    """A notification as a client receives it.

    `ord` is its place in its lane. An `unstored` one has no `ord`: it was sent before it was stored, or came late.
    `available_at` is when its user could have it first, and the moment to show; the inbox is in this order. It is
    later than `created_at` for what was scheduled, and null in what an earlier version stored: then use `created_at`.
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


_WITH_IDS: Final = (Read, Unread, Archive)

_encoder = msgspec.json.Encoder()
_client_decoder = msgspec.json.Decoder(ClientFrame)
_server_decoder = msgspec.json.Decoder(ServerFrame)
_op_decoder = msgspec.json.Decoder(_Op)
_item_decoder = msgspec.json.Decoder(Received)


def encode(frame: ServerFrame | ClientFrame) -> bytes:
    """Return a frame as JSON."""
    return _encoder.encode(frame)


def decode_client(text: bytes) -> ClientFrame:
    """Decode a client's frame, with its ids in lower case. Raise msgspec.DecodeError: a gateway closes with 4400."""
    frame = _client_decoder.decode(text)
    if isinstance(frame, _WITH_IDS):
        frame.ids = canonical(frame.ids)
    return frame


def decode_server(text: bytes | str) -> ServerFrame:
    """Decode a server's frame. Raise msgspec.DecodeError."""
    return _server_decoder.decode(text)


def decode_known(text: bytes) -> ServerFrame | None:
    """Decode a server's frame, or return None for one that only a later version knows. Raise msgspec.DecodeError."""
    try:
        return decode_server(text)
    except msgspec.ValidationError:
        if _op_decoder.decode(text).op in _SERVER_OPS:
            raise
        return None


def decode_item(body: msgspec.Raw) -> Received:
    """Decode an item of a batch. Raise msgspec.DecodeError."""
    return _item_decoder.decode(body)
