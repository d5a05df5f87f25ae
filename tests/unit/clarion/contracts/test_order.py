"""A notification's place in its lane, in one integer."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import order


@given(st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1))
def test_ord_sorts_like_its_parts_and_fits_a_bson_integer(g1: int, o1: int, g2: int, o2: int) -> None:
    one, two = order.pack(g1, o1), order.pack(g2, o2)
    assert order.unpack(one) == (g1, o1)
    assert (one < two) == ((g1, o1) < (g2, o2))
    assert 0 <= one <= order.MAX_ORD
