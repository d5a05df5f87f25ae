"""Which cursors lie beyond the end of their user's partition: by how many partitions each lane's users are placed."""

from typing import Any, cast

import pytest

from clarion.broker import group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import order
from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.topics import Placing
from services.gateway.mailbox.lane_ends import LaneEnds

SETTINGS = Settings(env="dev", partitions_lane=4, generation=1)
MOVED = next(user for user in map(str, range(99)) if partition_of(user, 4) != partition_of(user, 8))
HIGH, LOW = "notifications.high", "notifications.low"


async def test_each_lane_has_its_own_number_of_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    async def placings(*_: Any) -> dict[str, Placing]:
        return {HIGH: Placing(3, 8)}

    async def ends(_: Settings, asked: list[Partition]) -> dict[Partition, int]:
        assert sum(one.topic == HIGH for one in asked) == 8
        assert sum(one.topic == LOW for one in asked) == 4
        return {one: 10 + one.number for one in asked}

    monkeypatch.setattr(topics, "placings", placings)
    monkeypatch.setattr(group_offsets, "ends", ends)
    found = LaneEnds(SETTINGS, cast("Any", None))
    last = {Lane.HIGH: order.pack(3, 9 + partition_of(MOVED, 8)), Lane.LOW: order.pack(1, 9 + partition_of(MOVED, 4))}
    assert await found.beyond(MOVED, last) == set()
    assert await found.beyond(MOVED, {lane: cursor + 1 for lane, cursor in last.items()}) == {Lane.HIGH, Lane.LOW}
    assert await found.beyond(MOVED, {Lane.HIGH: order.pack(2, 1 << 40)}) == set(), "from before the topic had grown"
