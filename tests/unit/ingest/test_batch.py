"""Lines of a batch: a bad one harms none of its neighbours, and each has an answer."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import limits
from services.ingest.batch import TooManyLines, parse_batch, write_results
from tests.unit.ingest.submitted import NOW, SERVICE

GOOD = b'{"type":"a","message":"x","recipient":"r%d"}'
BAD = [b"{", b"null", b"[]", b'{"type":"a"}', b"\xff", b'{"type":"a","message":"x","recipients":["r"]}', b"{" * 5_000]


@given(st.lists(st.sampled_from([b"", GOOD, *BAD]), max_size=30))
def test_a_bad_line_never_harms_its_neighbours(lines: list[bytes]) -> None:
    accepted, refused = parse_batch(b"\n".join(lines), SERVICE, "k", NOW)
    assert set(accepted) == {n for n, line in enumerate(lines, 1) if line is GOOD}
    assert set(refused) == {n for n, line in enumerate(lines, 1) if line in BAD}
    assert all(result.status in {400, 422} and result.errors for result in refused.values())


def test_blanked_lines_keep_the_ids_of_the_others() -> None:
    one, two = b'{"type":"a","message":"x","recipient":"r"}', b'{"type":"b","message":"x","recipient":"r"}'
    both, _ = parse_batch(one + b"\n" + two, SERVICE, "k", NOW)
    second, _ = parse_batch(b"\n" + two, SERVICE, "k", NOW)
    assert set(second) == {2}
    assert second[2].id == both[2].id != both[1].id


def test_a_batch_has_a_bounded_number_of_lines() -> None:
    line = GOOD + b"\n"
    accepted, _ = parse_batch(line * limits.BATCH_LINES, SERVICE, None, NOW)
    assert len(accepted) == limits.BATCH_LINES
    with pytest.raises(TooManyLines):
        parse_batch(line * (limits.BATCH_LINES + 1), SERVICE, None, NOW)


def test_results_are_a_line_each_in_order() -> None:
    _, refused = parse_batch(b"{\n\n[]", SERVICE, None, NOW)
    assert [msgspec.json.decode(line)["line"] for line in write_results(refused).splitlines()] == [1, 3]
