"""The wire against websockets' own sans-IO protocol: the same bytes in, the same messages and answers out."""

import asyncio
import gc
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLIENT, SERVER, Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from clarion.contracts import times
from clarion.contracts.limits import FRAME_BYTES
from services.gateway.access.connection_limits import Refusal
from services.gateway.client.connection import Connection, Transport
from services.gateway.client.feed import Feed
from services.gateway.transport import ws_frames
from services.gateway.transport.base import TransportContext
from services.gateway.transport.websocket import WebSocketTransport

ORIGIN = "https://app.example"


class FakeTransport:
    """What asyncio gives a protocol, as far as it is used."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_half_closed = False
        self.is_closed = False
        self.protocol: asyncio.Protocol | None = None

    def write(self, data: bytes) -> None:
        assert not self.is_half_closed
        self.written.append(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half_closed = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def set_write_buffer_limits(self, high: int) -> None: ...

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.1", 4711) if name == "peername" else None


class Gateway:
    """Keeps what the socket tells."""

    def __init__(self, refuses: Refusal | None = None) -> None:
        self.refuses = refuses
        self.token: str | None = None
        self.shown: list[bool] = []
        self.address = ""
        self.texts: list[bytes] = []
        self.writable_told: list[bool] = []
        self.closing_with: list[int | None] = []
        self.closed_times = 0
        self.spoke_times = 0

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        self.shown.append(shows_token)
        return self.refuses

    def on_open(self, transport: Transport, address: str) -> Connection:
        self.address = address
        now = times.now()
        return Connection(transport, Feed(opened=now, since=now), address)

    def on_stream_open(self, transport: Transport, address: str) -> Connection:
        raise AssertionError("a socket speaks")

    def on_token(self, connection: Connection, token: str) -> None:
        self.token = token

    def on_message(self, connection: Connection, text: bytes) -> None:
        self.texts.append(text)

    def on_writable(self, connection: Connection, is_writable: bool) -> None:
        self.writable_told.append(is_writable)

    def on_control_frame(self, connection: Connection) -> None:
        self.spoke_times += 1

    def on_closing(self, connection: Connection, code: int | None) -> None:
        self.closing_with.append(code)

    def on_closed(self, connection: Connection) -> None:
        self.closed_times += 1


def connecting(gateway: Gateway) -> tuple[WebSocketTransport, FakeTransport]:
    socket, transport = (
        WebSocketTransport(TransportContext(gateway, (ORIGIN,), ()), None, SimpleNamespace(connections=set()), None),
        FakeTransport(),
    )
    socket.connection_made(transport)  # pyright: ignore[reportArgumentType]
    return socket, transport


def request(*headers: str, path: str = "/v1/ws") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: gateway",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def opened() -> tuple[WebSocketTransport, FakeTransport, Gateway]:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(request("Sec-WebSocket-Protocol: clarion.v1, bearer.abc"))
    assert transport.written.pop().startswith(b"HTTP/1.1 101 ")
    assert gateway.token == "abc"
    assert gateway.address == "10.0.0.1"
    return socket, transport, gateway


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


# ---- against the oracle

PAYLOADS = st.one_of(
    st.text(max_size=20).map(str.encode), st.integers(0, 300).map(lambda n: b"x" * n), st.just(b"\xf0\x9f\x98\x80")
)
FRAMES = st.one_of(
    st.builds(Frame, st.just(Opcode.TEXT), PAYLOADS, st.booleans()),
    st.builds(Frame, st.just(Opcode.CONT), PAYLOADS, st.booleans()),
    st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), PAYLOADS),
    st.builds(
        Frame,
        st.sampled_from(list(Opcode)),
        PAYLOADS,
        st.booleans(),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([False, False, False, True]),
    ),
    st.builds(Frame, st.just(Opcode.CLOSE), st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x00\x01"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=12), st.data())
def test_what_websockets_reads_and_answers_is_read_and_answered(frames: list[Frame], data: st.DataObject) -> None:
    frames = [frame for frame in frames if frame.opcode is not Opcode.BINARY]  # it would take them, here they are 1003
    stream = b"".join(sent(frame) for frame in frames)
    oracle = Protocol(SERVER, state=State.OPEN, max_size=FRAME_BYTES)
    oracle.receive_data(stream)
    messages, is_text = _messages([event for event in oracle.events_received() if isinstance(event, Frame)])
    answers = [written for written in oracle.data_to_send() if written]
    socket, transport, gateway = opened()
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 40))
        socket.data_received(stream[at : at + step])
        at += step
    if is_text:
        assert gateway.texts == messages
        assert seen(transport.written) == seen(answers)
    else:
        assert gateway.texts == messages
        assert close_of(transport) == 1007


def _messages(frames: list[Frame]) -> tuple[list[bytes], bool]:
    """The messages in frames, up to the first that is not UTF-8, and whether there is none such."""
    found: list[bytes] = []
    parts = b""
    for frame in frames:
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            continue
        parts += frame.data
        try:
            parts.decode()
        except UnicodeDecodeError as error:
            if frame.fin or error.reason != "unexpected end of data":
                return found, False
        if frame.fin:
            found.append(parts)
            parts = b""
    return found, True


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20))
def test_whatever_bytes_come_a_socket_closes_or_waits(chunks: list[bytes]) -> None:
    socket, transport, gateway = opened()
    for chunk in chunks:
        socket.data_received(chunk)
    assert len(gateway.closing_with) <= 1
    assert all(one.decode() is not None for one in gateway.texts)
    assert transport.is_half_closed <= bool(gateway.closing_with)


# ---- what RFC 6455 says, one by one


def test_control_frames_come_between_fragments_and_a_ping_is_answered_with_what_it_says() -> None:
    socket, transport, gateway = opened()
    for frame in (text(b'{"op"', fin=False), Frame(Opcode.PING, b"are you there"), cont(b':"pong"', fin=False)):
        socket.data_received(sent(frame))
    socket.data_received(sent(Frame(Opcode.PONG, b"unasked")) + sent(cont(b"}")))
    assert gateway.texts == [b'{"op":"pong"}']
    assert seen(transport.written) == [(Opcode.PONG, b"are you there")]


def test_a_close_is_echoed_with_its_code_and_then_the_server_closes() -> None:
    socket, transport, gateway = opened()
    socket.data_received(sent(text(b"{}")) + sent(Frame(Opcode.CLOSE, b"\x0f\xa0away")) + sent(text(b"[]")))
    assert gateway.texts == [b"{}"], "nothing counts after a close"
    assert transport.written[-1] == b"\x88\x06\x0f\xa0away"
    assert transport.is_closed
    socket.write(b"{}")
    socket.shut(1000, "")
    assert len(transport.written) == 1
    assert gateway.closing_with == [None], "it is in nobody's room, and what it does not read has a deadline"
    socket.connection_lost(None)
    assert gateway.closed_times == 1


def test_a_close_of_ours_is_said_once_and_the_answer_ends_it() -> None:
    socket, transport, gateway = opened()
    socket.shut(4408, "no answer")
    socket.shut(4408, "again")
    socket.write(b"{}")
    socket.data_received(sent(text(b"late")) + sent(Frame(Opcode.PING, b"?")))
    assert gateway.texts == []
    assert transport.written == [b"\x88\x0b\x11\x38no answer"], "it was the last frame"
    assert not transport.is_closed
    socket.data_received(sent(Frame(Opcode.CLOSE, b"\x11\x38")))
    assert transport.is_closed
    assert len(transport.written) == 1
    assert gateway.closing_with == [4408]


def test_a_client_that_half_closes_is_heard_to_the_end_and_gets_no_more() -> None:
    socket, transport, gateway = opened()
    socket.data_received(sent(text(b"{}")))
    assert not socket.eof_received(), "asyncio closes the transport then"
    socket.write(b"{}")
    assert gateway.texts == [b"{}"]
    assert transport.written == []
    assert gateway.closing_with == [None]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        pytest.param(sent(Frame(Opcode.TEXT, b"{}", rsv1=True)), 1002, id="a reserved bit"),
        pytest.param(b"\x83\x80\x00\x00\x00\x00", 1002, id="a reserved opcode"),
        pytest.param(b"\x81\x02{}", 1002, id="no mask"),
        pytest.param(sent(cont(b"{}")), 1002, id="a continuation of nothing"),
        pytest.param(sent(text(b"{", fin=False)) + sent(text(b"}")), 1002, id="a message within another"),
        pytest.param(sent(Frame(Opcode.PING, b"x" * 126)), 1002, id="a long ping"),
        pytest.param(sent(Frame(Opcode.PING, b"", fin=False)), 1002, id="a ping in fragments"),
        pytest.param(sent(Frame(Opcode.CLOSE, b"\x03")), 1002, id="half a close code"),
        pytest.param(sent(Frame(Opcode.CLOSE, b"\x03\xed")), 1002, id="a close code that is never sent"),
        pytest.param(sent(Frame(Opcode.CLOSE, b"\x03\xe8\xff")), 1007, id="a close reason that is not UTF-8"),
        pytest.param(sent(text(b"{", fin=False)) + sent(Frame(Opcode.CLOSE, b"")), 1002, id="an unfinished message"),
        pytest.param(sent(text(b"\xff")), 1007, id="not UTF-8"),
        pytest.param(sent(text(b"\xc3")), 1007, id="half a character"),
        pytest.param(sent(text(b"\xc3", fin=False)) + sent(cont(b"(", fin=False)), 1007, id="split, and not UTF-8"),
        pytest.param(sent(text(b"\xc3", fin=False)) + sent(cont(b"")), 1007, id="half a character in fragments"),
        pytest.param(struct.pack("!BBQ", 0x81, 0xFF, FRAME_BYTES + 1), 1009, id="too large: seen by the header"),
        pytest.param(sent(text(b"x" * FRAME_BYTES, fin=False)) + sent(cont(b"x")), 1009, id="too large in fragments"),
        pytest.param(sent(Frame(Opcode.BINARY, b"\x00")), 1003, id="binary"),
        pytest.param(sent(Frame(Opcode.BINARY, b"\x00", fin=False)), 1003, id="binary in fragments"),
    ],
)
def test_a_violation_is_closed_with_its_code_and_nothing_is_looked_at_any_more(stream: bytes, code: int) -> None:
    socket, transport, gateway = opened()
    for n in range(len(stream)) if len(stream) < 1000 else ():
        socket.data_received(stream[n : n + 1])
    if len(stream) >= 1000:
        socket.data_received(stream)
    assert close_of(transport) == code
    assert gateway.closing_with == [code]
    before = len(transport.written)
    socket.data_received(sent(text(b"{}")))
    assert gateway.texts == []
    assert len(transport.written) == before
    assert transport.is_half_closed == (code != 1003), "a server that fails says no more; else it waits for the answer"


def test_the_largest_message_is_taken_whole_and_in_fragments() -> None:
    socket, _, gateway = opened()
    socket.data_received(sent(text(b"x" * FRAME_BYTES)))
    socket.data_received(sent(text(b"x" * (FRAME_BYTES - 10), fin=False)) + sent(Frame(Opcode.PING, b"x" * 125)))
    socket.data_received(sent(cont(b"y" * 10)))
    assert [len(one) for one in gateway.texts] == [FRAME_BYTES, FRAME_BYTES]


def test_utf8_may_be_split_anywhere() -> None:
    socket, _, gateway = opened()
    whole = "«🙂»".encode()
    for n in range(len(whole)):
        socket.data_received(sent(Frame(Opcode.CONT if n else Opcode.TEXT, whole[n : n + 1], n == len(whole) - 1)))
    assert gateway.texts == [whole]


def test_a_client_that_pings_and_does_not_read_is_owed_one_answer() -> None:
    socket, transport, gateway = opened()
    socket.pause_writing()
    for n in range(100):
        socket.data_received(sent(Frame(Opcode.PING, b"%d" % n)))
    assert transport.written == []
    socket.resume_writing()
    assert seen(transport.written) == [(Opcode.PONG, b"99")]
    assert gateway.writable_told == [False, True]


def test_every_frame_that_is_no_whole_message_is_told_so_that_it_can_be_counted() -> None:
    socket, _, gateway = opened()
    for frame in (Frame(Opcode.PING, b""), Frame(Opcode.PONG, b""), text(b"", fin=False), cont(b"", fin=False)):
        socket.data_received(sent(frame))
    socket.data_received(sent(cont(b"{}")) + sent(text(b"{}")))
    assert len(gateway.texts) == 2
    assert gateway.spoke_times == 5


def test_a_flood_after_our_close_is_soon_not_looked_at() -> None:
    socket, transport, _ = opened()
    socket.shut(4429, "too much")
    socket.data_received(50 * sent(text(b"{}")) + sent(Frame(Opcode.CLOSE, b"\x11\x4d")))
    assert transport.is_closed, "what was under way is read up to the client's close"
    socket, transport, _ = opened()
    socket.shut(4429, "too much")
    socket.data_received(5_000 * sent(Frame(Opcode.PING, b"")) + sent(Frame(Opcode.CLOSE, b"\x11\x4d")))
    assert not transport.is_closed


def test_a_reason_is_cut_between_characters() -> None:
    socket, transport, _ = opened()
    socket.shut(4400, "€" * 100)
    assert transport.written == [ws_frames.make(ws_frames.CLOSE, b"\x11\x30" + "€".encode() * 41)]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_is_written_is_read_by_a_client(size: int) -> None:
    socket, transport, _ = opened()
    socket.write(b"x" * size)
    assert seen(transport.written) == [(Opcode.TEXT, b"x" * size)]


# ---- the upgrade


def test_the_answer_to_an_upgrade_is_one_that_websockets_takes() -> None:
    client = ClientProtocol(parse_uri("ws://gateway/v1/ws"), subprotocols=["clarion.v1", "bearer.abc"])  # pyright: ignore[reportArgumentType]
    client.send_request(client.connect())
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(b"".join(client.data_to_send()))
    client.receive_data(b"".join(transport.written))
    assert client.handshake_exc is None
    assert client.state is State.OPEN
    assert client.subprotocol == "clarion.v1"
    assert not client.extensions, "no compression: what is compressed cannot be shared, and its window costs memory"


def objects_of(*kinds: type) -> list[object]:
    """By `type`: what a weak proxy stands for may be gone."""
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]


def test_nothing_of_the_upgrade_is_left_for_the_garbage_collector() -> None:
    gc.collect()
    before = objects_of(ServerProtocol, Request)  # of other tests
    gc.disable()
    try:
        socket, _, _ = opened()
        left = objects_of(ServerProtocol, Request)
    finally:
        gc.enable()
    assert len(left) == len(before)
    socket.connection_lost(None)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(request(path="/elsewhere"), b"404", id="another path"),
        pytest.param(request("Origin: https://evil.example"), b"403", id="a foreign origin"),
        pytest.param(request(*2 * [f"Origin: {ORIGIN}"]), b"400", id="two origins"),
        pytest.param(request(*2 * ["Authorization: Bearer abc"]), b"400", id="two tokens"),
        pytest.param(request(path="//["), b"404", id="a path that is no URL"),
        pytest.param(request().replace(b"Version: 13", b"Version: 12"), b"400", id="another version"),
        pytest.param(request().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), b"400", id="a bad key"),
    ],
)
def test_an_upgrade_that_cannot_be_is_answered_and_closed(asked: bytes, status: bytes) -> None:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(asked)
    assert transport.written[0].startswith(b"HTTP/1.1 " + status)
    assert transport.is_closed
    assert transport.protocol is socket, "who hears that it is lost, whatever happens in the answer"
    socket.data_received(sent(text(b"{}")))
    socket.connection_lost(None)
    assert gateway.texts == []
    assert gateway.closed_times == 0


@pytest.mark.parametrize(
    "asked",
    [
        request("Sec-WebSocket-Protocol: clarion.v1"),
        request("Sec-WebSocket-Protocol: clarion.v1, bearer."),
        request("Authorization: Basic YTpi"),
        request("Authorization: Bearer abc", path="/v1/ws?access_token=abc"),
    ],
)
async def test_a_client_without_a_token_hears_so_after_the_upgrade_and_is_no_connection(asked: bytes) -> None:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(asked)
    head, _, said = b"".join(transport.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b'{"op":"error","code":"token",' in said
    assert struct.pack("!H", 4401) in said
    assert transport.is_half_closed
    socket.data_received(sent(text(b"{}")))
    socket.connection_lost(None)
    assert (gateway.shown, gateway.token, gateway.texts, gateway.closed_times) == ([False], None, [], 0)


def test_a_refusal_says_when_to_come_back() -> None:
    socket, transport = connecting(Gateway(Refusal(503, "not ready", 2)))  # pyright: ignore[reportArgumentType]
    socket.data_received(request())
    assert transport.written[0].startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in transport.written[0]
    assert transport.is_closed
