"""Events of a stream, and the names of its sessions."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.api import frames, streams
from clarion.contracts.api.frames import Error


@given(st.text(), st.text())
def test_whatever_a_frame_says_it_is_one_event(code: str, detail: str) -> None:
    frame = frames.encode(Error(code, detail))
    assert streams.event(frame) == b"data: " + frame + b"\n\n"
    assert b"\n" not in frame
    assert b"\r" not in frame
    assert streams.close_event(1012, detail).count(b"\n") == 3


def test_a_session_names_its_place() -> None:
    session = streams.new_session(255, 12)
    assert streams.mailbox_and_epoch_of(session) == (255, 12)
