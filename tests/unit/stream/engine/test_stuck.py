"""A pipeline is stuck when there is a backlog and nothing comes, and not while there is nothing to take."""

import pytest

from services.stream.engine.pipeline import Pipeline
from services.stream.engine.stage_order import Ticket
from services.stream.engine.windows import Window, WindowPolicy
from tests.unit.fake_source import FakeSource
from tests.unit.records import batch
from tests.unit.stream.engine.test_pipeline import running


class World:
    """A pipeline whose work is done at once, what it may read, and the time."""

    def __init__(self, clock: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        clock.setattr("services.stream.engine.pipeline.time.monotonic", lambda: self.now)
        self.readable = 0
        source = FakeSource(readable=lambda: self.readable)
        self.pipeline = Pipeline("test", WindowPolicy(max_records=1, max_age_s=0), _work, source)

    async def takes_one(self) -> None:
        await self.pipeline.hand(batch([b"x"], 0, 0), lambda: None)
        await self.pipeline.finished()


async def _work(window: Window, turn: Ticket) -> None:
    pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_it_is_stuck_when_there_is_a_backlog_and_nothing_comes(world: World) -> None:
    world.readable = 5
    async with running(world.pipeline):
        await world.takes_one()
        assert world.pipeline.stuck() == ""
        world.now += 121
        assert "backlog" in world.pipeline.stuck()
        world.readable = 0
        assert world.pipeline.stuck() == "", "nothing is left to take"


async def test_a_record_after_a_long_pause_is_no_backlog_that_stands(world: World) -> None:
    async with running(world.pipeline):
        world.now += 500
        assert world.pipeline.stuck() == ""
        world.readable = 1
        assert world.pipeline.stuck() == "", "it was published just now"
        world.now += 100
        assert world.pipeline.stuck() == ""
        await world.takes_one()
        world.now += 100
        assert world.pipeline.stuck() == "", "there was one 100 s ago"
        world.now += 21
        assert "backlog" in world.pipeline.stuck()
