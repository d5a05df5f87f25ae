"""Replay leaves room for what is live, and none of that is at the expense of what is urgent."""

import asyncio
import time

from clarion.contracts.lanes import Lane
from clarion.contracts.times import now
from clarion.security.tokens import Claims
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.feed import Feed
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.read_scheduler import ReadScheduler
from tests.bench.gateway.items import insert, item
from tests.conftest import until

WAITING = 300


class Written:
    """A wire that keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, text: bytes) -> None:
        self.frames.append(text)

    def handle_waiting(self) -> None: ...

    def shut(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


def behind(user: str, lane: Lane) -> tuple[Connection, list[bytes]]:
    """Somebody who has everything of the lanes before that one."""
    wire, feed = Written(), Feed(opened=now(), since=now())
    while (issued := feed.next_read()) and issued.lane is not lane:
        feed.read(issued, [])
    claims = Claims(user, frozenset({"subscribe"}), 0.0)
    return Connection(wire, feed, claims=claims, state=ConnectionState.PRESENT), wire.frames


async def test_urgent_catch_up_does_not_wait_for_a_reader_that_rests(settings: Settings) -> None:
    """There is one reader, and it rests for minutes after what it has found."""
    connection, reads = database.connect(settings), database.connect_reads(settings)
    stored = notifications.collection(connection)
    await insert(stored, [item(user, Lane.NORMAL, n + 1) for n in range(WAITING) for user in ("ann", "bob")])
    await insert(stored, [item("eve", Lane.URGENT, n + 1) for n in range(WAITING)])
    paced = ReadScheduler(per_s=1)
    catch_up = CatchUp(notifications.waiting(reads), lambda: None, paced)
    (ann, to_ann), (bob, to_bob), (eve, to_eve) = (
        behind("ann", Lane.NORMAL),
        behind("bob", Lane.NORMAL),
        behind("eve", Lane.URGENT),
    )
    tasks = [asyncio.create_task(catch_up.feed()), asyncio.create_task(catch_up.read())]

    async def written(frames: list[bytes]) -> None:
        async def is_written() -> bool:
            return bool(frames)

        await until(is_written)

    try:
        paced.delivered(time.monotonic())
        catch_up.want(ann)
        await written(to_ann)
        catch_up.want(bob)
        paced.delivered(time.monotonic())
        catch_up.want(eve)
        await written(to_eve)
        await asyncio.sleep(0.5)
        assert not to_bob, "who is behind in another lane waits, whoever does not"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close_reads(reads)
        database.close(connection)
