"""Reads a client's RFC 6455 frames, and makes the server's. Pure; nothing is kept for a connection.

websockets' sans-IO `Protocol` does the same, but it keeps 1.3 KB for each connection, and takes most of the time of an
acknowledgement. A test feeds both with the same bytes.
"""

import codecs
from typing import Final

from websockets.exceptions import ProtocolError
from websockets.frames import Close, apply_mask  # pyright: ignore[reportPrivateImportUsage] - in C, else in Python

from clarion.contracts import limits
from clarion.contracts.api.close_codes import Close as Code

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_SIZE_16: Final = 126
_SIZE_64: Final = 127
CONTROL_BYTES: Final = 125


class FrameError(Exception):
    """The client broke RFC 6455 or a limit; its connection is closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


# The opcode, whether the frame is final, the payload, and where the next frame begins. It is a plain tuple, since
# that takes the least time to make, and each acknowledgement makes one.
Frame = tuple[int, bool, bytes, int]


def parse(data: bytes | bytearray, at: int, room: int) -> Frame | None:
    """Return the client's frame that begins at `at`; None while a part of it is missing.

    `room` is how many bytes a payload of data may have. Raises FrameError as soon as the frame's header breaks a rule.
    """
    here = len(data) - at
    if here < 2:
        return None
    first, second, start = data[at], data[at + 1], at + 2
    opcode, size = first & 0x0F, second & 0x7F
    if opcode not in _OPCODES:
        raise FrameError(Code.NOT_RFC_6455, "the opcode of a frame is invalid")
    if not second & _MASKED:
        raise FrameError(Code.NOT_RFC_6455, "a client must mask its frames")
    if size >= _SIZE_16:
        start += 2 if size == _SIZE_16 else 8
        if len(data) < start:
            return None
        size = int.from_bytes(data[at + 2 : start])
    if opcode >= CLOSE:
        if size > CONTROL_BYTES or not first & _FINAL:
            raise FrameError(
                Code.NOT_RFC_6455, f"a control frame must be in one fragment of at most {CONTROL_BYTES} bytes"
            )
    elif size > room:
        raise FrameError(Code.TOO_LARGE, f"a message may have at most {limits.FRAME_BYTES} bytes")
    if first & _RESERVED:
        raise FrameError(Code.NOT_RFC_6455, "the reserved bits of a frame must be 0")
    body, end = start + 4, start + 4 + size
    if len(data) < end:
        return None
    return opcode, first >= _FINAL, apply_mask(data[body:end], data[start:body]), end


def make(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame, as a server sends it."""
    size = len(payload)
    if size < _SIZE_16:
        return b"%c%c%b" % (_FINAL | opcode, size, payload)
    if size < 1 << 16:
        return b"%c%c%b%b" % (_FINAL | opcode, _SIZE_16, size.to_bytes(2), payload)
    return b"%c%c%b%b" % (_FINAL | opcode, _SIZE_64, size.to_bytes(8), payload)


def make_close(code: int, reason: str) -> bytes:
    """Return a close frame with as much of the reason as a control frame can hold.

    The reason must be UTF-8, so it is not cut within a character.
    """
    fits = reason.encode()[: CONTROL_BYTES - 2].decode(errors="ignore")
    return make(CLOSE, code.to_bytes(2) + fits.encode())


def check_close(payload: bytes) -> None:
    """Check a client's close frame. Raises FrameError when its code or its reason is not allowed."""
    try:
        Close.parse(payload)
    except ProtocolError as error:
        raise FrameError(Code.NOT_RFC_6455, str(error)) from error
    except UnicodeDecodeError as error:
        raise FrameError(Code.NOT_UTF8, "the reason of a close frame is not UTF-8") from error


def check_utf8(payload: bytes) -> None:
    """Check a text message that came in one frame. Raises FrameError unless it is UTF-8."""
    Fragments().add(payload, is_final=True)


class Fragments:
    """A text message in several frames; an object exists only while such a message is under way."""

    __slots__ = ("_text", "_utf8")

    def __init__(self) -> None:
        self._text = bytearray()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def __len__(self) -> int:
        return len(self._text)

    def add(self, payload: bytes, *, is_final: bool) -> bytes:
        """Add a fragment. Return the whole message with the final one, and nothing before.

        Raises FrameError as soon as the text cannot become UTF-8.
        """
        try:
            self._utf8.decode(payload, final=is_final)
        except UnicodeDecodeError as error:
            raise FrameError(Code.NOT_UTF8, "a message is not UTF-8") from error
        self._text += payload
        return bytes(self._text) if is_final else b""
