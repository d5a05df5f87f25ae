"""WebSocket frames as a client sends and reads them."""

import struct

from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol, State

from tests.unit.gateway.transport.fake_gateway import FakeTransport


def sent(frame: Frame) -> bytes:
    """As a client sends it. A frame that may not be is serialized all the same."""
    checked = Frame(frame.opcode, frame.data[:0])
    head, mask, size = checked.serialize(mask=True)[0] & 0x0F, b"\x01\x02\x03\x04", len(frame.data)
    head |= frame.fin << 7 | frame.rsv1 << 6 | frame.rsv2 << 5 | frame.rsv3 << 4
    if size < 126:
        length = struct.pack("!BB", head, 0x80 | size)
    elif size < 1 << 16:
        length = struct.pack("!BBH", head, 0x80 | 126, size)
    else:
        length = struct.pack("!BBQ", head, 0x80 | 127, size)
    return length + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(frame.data))


def seen(written: list[bytes]) -> list[tuple[Opcode, bytes]]:
    """The frames a client reads from what was written: of a close frame only the code, its words are ours."""
    reader = Protocol(CLIENT, state=State.OPEN)
    reader.receive_data(b"".join(written))
    frames = [event for event in reader.events_received() if isinstance(event, Frame)]
    return [(f.opcode, bytes(f.data[:2] if f.opcode is Opcode.CLOSE else f.data)) for f in frames]


def text(payload: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, payload, fin)


def cont(payload: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.CONT, payload, fin)


def close_of(transport: FakeTransport) -> int:
    opcode, payload = seen(transport.written)[-1]
    assert opcode is Opcode.CLOSE
    return int.from_bytes(payload)
