"""A socket's end, its answers to pings, and what a client that does not read is owed."""

from websockets.frames import Frame, Opcode

from services.gateway.transport import ws_frames
from tests.unit.gateway.transport.client_frames import cont, seen, sent, text
from tests.unit.gateway.transport.fake_gateway import opened


def test_a_close_is_echoed_and_then_the_server_closes() -> None:
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


def test_a_client_that_half_closes_is_heard_and_gets_no_more() -> None:
    socket, transport, gateway = opened()
    socket.data_received(sent(text(b"{}")))
    assert not socket.eof_received(), "asyncio closes the transport then"
    socket.write(b"{}")
    assert gateway.texts == [b"{}"]
    assert transport.written == []
    assert gateway.closing_with == [None]


def test_pings_of_a_client_that_does_not_read_get_one_answer() -> None:
    socket, transport, gateway = opened()
    socket.pause_writing()
    for n in range(100):
        socket.data_received(sent(Frame(Opcode.PING, b"%d" % n)))
    assert transport.written == []
    socket.resume_writing()
    assert seen(transport.written) == [(Opcode.PONG, b"99")]
    assert gateway.writable_told == [False, True]


def test_frames_that_are_no_whole_message_are_counted() -> None:
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
