"""Whether a client resumes is settled by its first frame, also when a busy gateway has not handled that in time."""

import asyncio

import pytest

from clarion.contracts import limits
from clarion.contracts.api import frames
from clarion.contracts.lanes import Lane
from services.gateway.access import connect
from services.gateway.client.connection import Connection
from services.gateway.client.feed import Feed
from tests.unit.gateway.devices import NOW, Nowhere

RESUME = frames.Resume({Lane.NORMAL: (0, 7)})


class Busy(Nowhere):
    """A gateway that handles what this client has sent only when it is asked for it."""

    waiting: Connection | None = None

    def handle_waiting(self) -> None:
        if self.waiting is not None:
            connect.take_first(self.waiting, RESUME)


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RESUME_GRACE_S", 0.01)


async def test_a_client_that_says_nothing_is_a_fresh_one() -> None:
    connection = Connection(Nowhere(), Feed(opened=NOW, since=NOW))
    async with asyncio.timeout(1):
        assert await connect._first_frame(connection) == frames.Resume()
    assert connection.decided


async def test_a_resume_that_waits_to_be_handled_counts() -> None:
    transport = Busy()
    connection = transport.waiting = Connection(transport, Feed(opened=NOW, since=NOW))
    async with asyncio.timeout(1):
        assert await connect._first_frame(connection) == RESUME
