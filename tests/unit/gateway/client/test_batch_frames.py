"""Items in frames: split within the bounds of a record and of a frame."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import limits, times
from services.gateway.client.batch_frames import batch_frame, join, split
from tests.unit.gateway.devices import offered


@given(st.lists(st.integers(1, 40_000), max_size=120))
def test_splitting_keeps_order_and_bounds(sizes: list[int]) -> None:
    items = [offered(n, size) for n, size in enumerate(sizes)]
    runs = list(split(items))
    assert [one for run in runs for one in run] == items
    for run in runs:
        assert 1 <= len(run) <= limits.ITEMS_PER_RECORD
        assert len(batch_frame(2**53, join(run), times.now())) <= limits.FRAME_BYTES
