"""A device of Clarion that takes the place of another one goes on where that one was."""

import pytest

from clarion.client import Position
from clarion.contracts.lanes import Lane
from tests.compare.clients import device
from tests.compare.clients.clarion_device import KeptPosition
from tests.compare.clients.device import Tell
from tests.compare.clients.lines import Kept, Told


async def test_a_position_comes_back_as_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Told] = []
    monkeypatch.setattr(device, "say", said.append)
    position = Position({Lane.URGENT: (0, 7), Lane.LOW: (1, 3)}, "1700000000.abc", "ann", "here")
    await KeptPosition(Tell("ann")).save(position)
    match said:
        case [Kept("ann", text)]:
            assert await KeptPosition(Tell("ann", text)).load() == position
        case _:
            pytest.fail(f"it said {said}")
    assert await KeptPosition(Tell("ann")).load() == Position()
