"""Where the lanes end, so that a client's cursor beyond that is known to be of another lane than today's.

A topic that was made anew, or another deployment under the same address, has cursors above everything that is to come:
believed, they would drop what is live as repeats, and acknowledge what nobody has seen (D-cursor-known).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from clarion.broker import group_offsets
from clarion.broker.clients import SEND_ERRORS
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import order
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.topics import Placing

log = structlog.get_logger()

WITHIN_S: Final = 2.0
GATHER_S: Final = 0.05  # of a crowd that comes back, most share a question


@dataclass(slots=True)
class LaneEnds:
    """Asked of Kafka when a cursor is above what is known; all who wait meanwhile share one question."""

    settings: Settings
    topics: Collection
    _ends: Mapping[Partition, int] = field(default_factory=dict[Partition, int])  # packed, with the generation
    _partitions: Mapping[str, int] = field(default_factory=dict[str, int])  # that recipients of a topic are placed by
    _asking: "asyncio.Task[None] | None" = None

    async def beyond(self, user: str, cursors: Mapping[Lane, int]) -> set[Lane] | None:
        """The lanes whose cursor is at or above the end of the user's partition; None when nobody can tell now."""
        if not (above := self._above(user, cursors)):
            return above
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="lane ends")
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())  # seen, even if late
        try:
            async with asyncio.timeout(WITHIN_S):
                await asyncio.shield(self._asking)
        except (*SEND_ERRORS, *database.TRANSIENT) as error:
            log.warning("nobody tells where the lanes end: resumed cursors acknowledge nothing", error=repr(error))
            return None
        return self._above(user, cursors)

    def _above(self, user: str, cursors: Mapping[Lane, int]) -> set[Lane]:
        names = Names(self.settings.prefix)
        return {lane for lane, cursor in cursors.items() if cursor >= self._end(user, names.notifications(lane))}

    def _end(self, user: str, topic: str) -> int:
        partitions = self._partitions.get(topic)
        return self._ends[Partition(topic, partition_of(user, partitions))] if partitions else 0

    async def _ask(self) -> None:
        await asyncio.sleep(GATHER_S)
        names = [Names(self.settings.prefix).notifications(lane) for lane in LANES]
        as_declared = Placing(self.settings.generation, self.settings.partitions_lane)
        async with asyncio.timeout(WITHIN_S):
            placings = await topics.placings(self.topics, names)
            placed = {name: placings.get(name, as_declared) for name in names}
            wanted = [Partition(name, number) for name in names for number in range(placed[name].partitions)]
            found = await group_offsets.ends(self.settings, wanted)
        self._partitions = {name: placing.partitions for name, placing in placed.items()}
        self._ends = {one: order.pack(placed[one.topic].generation, end) for one, end in found.items()}
