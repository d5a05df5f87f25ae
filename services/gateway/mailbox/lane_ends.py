"""Knows where the lanes end: a client's cursor beyond that end is from another lane than today's.

After a topic was made anew, or with another deployment under the same address, cursors are above everything that is to
come. If they were believed, live items would be dropped as repeats, and what nobody has seen would be acknowledged
(D-cursor-known).
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

WITHIN_S: Final = 2.0  # for Kafka and MongoDB to answer
GATHER_S: Final = 0.05  # before asking: most clients that come back together share a question


@dataclass(slots=True)
class LaneEnds:
    """Asks Kafka when a cursor is above the known end; clients that wait meanwhile share one question."""

    settings: Settings
    topics: Collection
    _ends: Mapping[Partition, int] = field(default_factory=dict[Partition, int])  # as `ord`: with the generation
    _partitions: Mapping[str, int] = field(default_factory=dict[str, int])  # by how many recipients are placed
    _asking: "asyncio.Task[None] | None" = None

    async def beyond(self, user: str, cursors: Mapping[Lane, int]) -> set[Lane] | None:
        """Return the lanes whose cursor is at or above the end of the user's partition.

        None when nobody can tell now.
        """
        if not (above := self._above(user, cursors)):
            return above
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="lane ends")
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())  # else asyncio logs it
        try:
            async with asyncio.timeout(WITHIN_S):
                await asyncio.shield(self._asking)
        except (*SEND_ERRORS, *database.TRANSIENT) as error:
            log.warning(
                "the ends of the lanes are unknown, so a resumed cursor acknowledges nothing", error=repr(error)
            )
            return None
        return self._above(user, cursors)

    def _above(self, user: str, cursors: Mapping[Lane, int]) -> set[Lane]:
        """Return the lanes whose cursor is at or above the end as it is known; an unknown end is 0."""
        names = Names(self.settings.prefix)
        return {lane for lane, cursor in cursors.items() if cursor >= self._end(user, names.notifications(lane))}

    def _end(self, user: str, topic: str) -> int:
        """Return the known end of the user's partition, as an `ord`; 0 when it is unknown."""
        partitions = self._partitions.get(topic)
        return self._ends[Partition(topic, partition_of(user, partitions))] if partitions else 0

    async def _ask(self) -> None:
        """Ask where all lanes end. Raises one of `clients.SEND_ERRORS` or of `database.TRANSIENT`."""
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
