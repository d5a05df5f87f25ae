"""Frames against websockets' own sans-IO protocol: the same bytes in, the same messages and answers out."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from clarion.contracts.limits import FRAME_BYTES
from tests.unit.gateway.transport.client_frames import close_of, cont, seen, sent, text
from tests.unit.gateway.transport.fake_gateway import opened

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


def test_a_ping_between_fragments_is_answered_with_what_it_says() -> None:
    socket, transport, gateway = opened()
    for frame in (text(b'{"op"', fin=False), Frame(Opcode.PING, b"are you there"), cont(b':"pong"', fin=False)):
        socket.data_received(sent(frame))
    socket.data_received(sent(Frame(Opcode.PONG, b"unasked")) + sent(cont(b"}")))
    assert gateway.texts == [b'{"op":"pong"}']
    assert seen(transport.written) == [(Opcode.PONG, b"are you there")]


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
def test_a_violation_closes_with_its_code_and_ends_the_reading(stream: bytes, code: int) -> None:
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


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_is_written_is_read_by_a_client(size: int) -> None:
    socket, transport, _ = opened()
    socket.write(b"x" * size)
    assert seen(transport.written) == [(Opcode.TEXT, b"x" * size)]
