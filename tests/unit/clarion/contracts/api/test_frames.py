"""Frames of clients: round trips, and what is malformed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.api import frames
from clarion.contracts.lanes import LANES

cursors = st.dictionaries(st.sampled_from(LANES), st.tuples(st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1)))
uuids = st.uuids(version=4).map(str)
client_frames = st.one_of(
    st.builds(frames.Resume, cursors=cursors, since=st.none() | st.just("2026-11-24T01:02:03.004Z")),
    st.builds(frames.Ack, tag=st.integers(1, 2**53)),
    st.builds(frames.Read, ids=st.lists(uuids, min_size=1, max_size=5)),
    st.builds(frames.Pong),
)


@given(client_frames)
def test_a_client_frame_survives_the_wire(frame: frames.ClientFrame) -> None:
    assert frames.decode_client(frames.encode(frame)) == frame


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"op":"nonsense"}',
        b'{"op":"ack"}',
        b'{"op":"ack","tag":0}',
        b'{"op":"ack","tag":1,"more":1}',
        b'{"op":"read","ids":[]}',
        b'{"op":"read","ids":["not-an-id"]}',
        b'{"op":"resume","cursors":{"huge":[0,1]}}',
        b'{"op":"resume","cursors":{"low":[-1,1]}}',
        b'{"op":"resume","cursors":{"low":[0,281474976710656]}}',
    ],
)
def test_a_malformed_client_frame_is_a_decode_error(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        frames.decode_client(text)
