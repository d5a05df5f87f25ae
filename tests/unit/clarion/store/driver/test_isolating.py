"""One bad part of a bulk write is found, and costs the others a few commands."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.store.driver.failures import Unacceptable
from clarion.store.driver.isolating import Sent, WriteFailure, isolated


class Server:
    """Cannot be sent what is below 0; refuses what is odd, and looks no further then when writes are ordered."""

    def __init__(self, *, ordered: bool) -> None:
        self.ordered = ordered
        self.written: list[int] = []
        self.commands = 0

    async def send(self, some: Sequence[int]) -> Sent:
        self.commands += 1
        if min(some) < 0:
            raise Unacceptable("it cannot be sent")
        odd = [index for index, number in enumerate(some) if number % 2]
        done = odd[0] + 1 if odd and self.ordered else len(some)
        self.written += [number for number in some[:done] if number % 2 == 0]
        return Sent(done, [WriteFailure(index, "odd") for index in odd if index < done])


@pytest.mark.parametrize("ordered", [True, False])
@given(parts=st.lists(st.integers(-2, 40), max_size=40))
async def test_good_parts_are_written_in_order_and_bad_ones_told(ordered: bool, parts: list[int]) -> None:
    server = Server(ordered=ordered)
    failures = await isolated(parts, server.send)
    assert server.written == [number for number in parts if number >= 0 and number % 2 == 0]
    told = [index for index, number in enumerate(parts) if number < 0 or number % 2]
    assert [failure.index for failure in failures] == told


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("bad", [-1, 1])
@pytest.mark.parametrize("place", [0, 250, 499])
async def test_one_bad_part_of_500_costs_few_commands(ordered: bool, bad: int, place: int) -> None:
    server = Server(ordered=ordered)
    await isolated([*[0] * place, bad, *[0] * (499 - place)], server.send)
    assert server.commands <= 20
