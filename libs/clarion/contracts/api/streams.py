"""The client protocol over Server-Sent Events: frames come as events of an answer, and a client acknowledges by POST.

The `session` in `hello` names the mailbox and epoch of the gateway that has the stream, so that any gateway can send an
acknowledgement on to that one.
"""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from clarion.contracts import limits
from clarion.contracts.ids import new_id

PATH: Final = "/v1/stream"
ACK_PATH: Final = "/v1/stream/ack"
MEDIA_TYPE: Final = "text/event-stream"
ACK_BYTES: Final = 1024  # of the body

_SESSION: Final = rf"^(\d{{1,5}})\.(\d{{1,12}})\.[0-9a-f-]{{36}}{limits.END}"
_session: Final = re.compile(_SESSION)


class StreamAck(msgspec.Struct, forbid_unknown_fields=True):
    """All batches up to `tag` are handled by the application; 0 says that none is. It also answers a `ping`."""

    session: Annotated[str, Meta(pattern=_SESSION, max_length=60)]
    tag: Annotated[int, Meta(ge=0, lt=1 << 53)]


class StreamClose(msgspec.Struct):
    """The last event of a stream, named `close`: the close code and reason of a socket."""

    code: int
    reason: str


def new_session(mailbox: int, epoch: int) -> str:
    """Return the name of a new stream at the gateway that holds this mailbox in this epoch."""
    return f"{mailbox}.{epoch}.{new_id()}"


def mailbox_and_epoch_of(session: str) -> tuple[int, int]:
    """Return mailbox and epoch of a session whose form has been checked, as by `StreamAck`."""
    found = _session.match(session)
    assert found is not None
    return int(found[1]), int(found[2])


def event(frame: bytes) -> bytes:
    """Return a frame as an event. Its JSON needs no escaping, as msgspec encodes no line breaks."""
    return b"data: %b\n\n" % frame


def close_event(code: int, reason: str) -> bytes:
    """Return the last event of a stream."""
    return b"event: close\ndata: %b\n\n" % msgspec.json.encode(StreamClose(code, reason))
