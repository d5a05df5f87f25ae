"""Keeps the store and the group's commits together, and ends the process when they are not of one topic any more.

The store is told first, then Kafka. Where a process resumes, the lower of the two counts. So after a topic was made
anew, or MongoDB was restored from an older backup, everything that Kafka retains and the store lacks is read again:
repeats are known by their ids. Resetting positions in place would need Faust's consent at the wrong moments, so a
process that finds a difference ends, and its successor resumes in the right place. So it does when the topic has grown:
whoever has joined the group with the new count knows that nobody stores by the old one any more, since each member asks
the store at each assignment, before anything is stored.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from clarion.broker import group_offsets, topic_ids
from clarion.broker.clients import SEND_ERRORS
from clarion.broker.consuming.commit_tracker import Partition
from clarion.resilience.retry import retry
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.topics import Known
from clarion.telemetry import metrics
from services.stream.engine.stage_order import OwnershipLost
from services.stream.engine.topic_growth import TopicGrowth
from services.stream.engine.topic_identity import judge, places_to_resume

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0  # two questions, each about one topic; a topic that has grown is told so soon
_AGAIN_S: Final = 1.0


class Outdated(Exception):
    """The topic, or the store, is not the one that this process began to read with: its successor finds its place."""


class Grown(Outdated):
    """The topic has more partitions than this process places recipients by. What is in hand may be finished."""


class Checkpoints:
    """Of one topic and one consumer group. `client` is a connected aiokafka client.

    `ordered` topics keep each recipient's order when they grow. In others new partitions are read at once.
    """

    def __init__(
        self, settings: Settings, documents: Collection, topic: str, group: str, client: Any, *, ordered: bool
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._topic: Final = topic
        self._group: Final = group
        self._client = client
        self._ordered: Final = ordered
        self._known: Known | None = None
        self._growth: TopicGrowth | None = None
        self._confirmed = True  # by the store, since the latest assignment
        self._noted: dict[int, int] = {}  # what the store has said it has, or has been told
        self._outdated: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()

    async def settle(self) -> Known:
        """Agree with the other processes on the topic's generation. Waits while MongoDB or Kafka is away."""
        self._known = await retry(self._settle, "mongodb", *database.TRANSIENT, *SEND_ERRORS)
        self._count_waiting(0)
        return self._known

    async def _settle(self) -> Known:
        while True:
            known = await topics.find(self._documents, self._topic)
            found = await topic_ids.describe(self._client, self._topic)
            judged = None
            if found is not None:
                async with group_offsets.asking(self._settings) as admin:
                    told = await group_offsets.committed(admin, [self._group])
                commits = {place.number: one for place, one in told.items() if place.topic == self._topic}
                judged = judge(self._topic, found, known, commits, self._settings.generation)
                if judged is not None and not self._ordered:
                    judged = replace(judged, partitions=max(judged.partitions, found.partitions))
            if judged is not None and judged == known:
                return judged
            if judged is not None and known is None and await topics.create(self._documents, judged):
                log.info("topic is new to the store", topic=self._topic, topic_id=judged.topic_id)
                return judged
            if judged is not None and known is not None and await topics.replace(self._documents, known, judged):
                self._tell(known, judged)
                return judged
            await asyncio.sleep(_AGAIN_S)  # another process was faster, or the broker has not heard of the topic yet

    def _tell(self, before: Known, after: Known) -> None:
        if before.topic_id == after.topic_id:
            log.info("topic changed", topic=self._topic, generation=after.generation, partitions=after.partitions)
            return
        metrics.topics_made_anew.labels(self._topic.removeprefix(self._settings.prefix)).inc()
        log.warning(
            "topic was made anew: its generation is raised, and it is read from its beginning",
            topic=self._topic,
            topic_id=after.topic_id,
            before=before.topic_id,
            generation=after.generation,
        )

    def mark(self) -> str:
        """The metadata of this process's commits: empty while the generation is not known."""
        return group_offsets.marked(self._known.generation) if self._known else ""

    async def resume(self, committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Partitions whose commits are ahead of the store, with where to read on from: asked at each assignment."""
        offsets = {partition.number: offset for partition, offset in committed.items()}
        self._confirmed = False
        try:
            await self._look()
            known = await topics.find(self._documents, self._topic)
        except (*database.TRANSIENT, *SEND_ERRORS) as error:
            # `note` finds out later: it demands what Kafka says now, before anything is committed on top of it
            log.warning("resuming from the commits alone", topic=self._topic, error=repr(error))
            self._noted |= offsets
            return {}
        if known is None or self._known is None:
            self._noted |= offsets
            return {}
        self._confirmed = self._compare(known)
        self._noted |= {number: known.reached.get(number, 0) for number in offsets}
        places = places_to_resume(offsets, known.reached)
        if places:
            metrics.read_again.labels(self._topic.removeprefix(self._settings.prefix)).inc(len(places))
            log.warning("the store is behind the commits, as after a restore: reading again", places=places)
        return {Partition(self._topic, number): offset for number, offset in places.items()}

    async def confirm(self) -> None:
        """To be awaited before anything is stored. Waits while the store cannot be asked.

        Raises `OwnershipLost` when whoever has joined the group since may store in another generation.
        """
        if self._confirmed:
            return
        known = await retry(lambda: topics.find(self._documents, self._topic), "mongodb", *database.TRANSIENT)
        self._confirmed = known is None or self._compare(known)
        if not self._confirmed:
            raise OwnershipLost("the topic is not the one any more that this process began to read with")

    def placed_by(self) -> int | None:
        """How many partitions recipients are placed in; None: all. Others are not read yet (`topic_growth.py`)."""
        return self._known.partitions if self._known and self._ordered else None

    def growing(self) -> str:
        """That the topic has partitions which are not read yet, in words; mostly empty."""
        known, growth = self._known, self._growth
        return growth.told(self._topic, known.partitions) if known and growth else ""

    def waiting(self, partitions: Iterable[Partition]) -> int:
        """How many records there are in those of `partitions` that are not read yet."""
        return sum(self._growth.new.get(partition.number, 0) for partition in partitions) if self._growth else 0

    async def note(self, offsets: Mapping[Partition, int]) -> bool:
        """Tell the store what it has, before Kafka is told. False when Kafka must not be told now."""
        if self._known is None:
            return False
        numbers = {partition.number: offset for partition, offset in offsets.items()}
        at_least = {number: self._noted.get(number, 0) for number in numbers}
        try:
            noted = await topics.reach(self._documents, self._known, numbers, at_least)
        except database.TRANSIENT as error:
            log.warning("nothing is committed while MongoDB does not take the places", error=repr(error))
            return False
        if noted:
            self._noted |= {number: max(offset, at_least[number]) for number, offset in numbers.items()}
        else:
            self._end("MongoDB has another topic, or less of it than before: it was restored, or the topic made anew")
        return noted

    async def watch(self) -> None:
        """Look now and then, for what no commit would show. Raises `Outdated`."""
        while True:
            await asyncio.wait([self._outdated], timeout=LOOK_EVERY_S)
            if self._outdated.done():
                self._outdated.result()
            try:
                await self._look()
                await self._look_at_store()
            except (*database.TRANSIENT, *SEND_ERRORS) as error:
                log.debug("could not look at the topic", topic=self._topic, error=repr(error))

    async def _look(self) -> None:
        found = await topic_ids.describe(self._client, self._topic)
        known = self._known
        if found and known and found.id != known.topic_id and found.id not in known.past:
            self._end(f"{self._topic} was made anew")
        elif found and known and found.id == known.topic_id and found.partitions > known.partitions:
            self._see_growth(known, found.partitions)

    def _see_growth(self, known: Known, partitions: int) -> None:
        if not self._ordered:
            self._end(f"{self._topic} has {partitions} partitions now", Grown)
        elif self._growth is None or self._growth.partitions != partitions:
            self._growth = TopicGrowth(partitions, time.monotonic())
            self._count_waiting(partitions - known.partitions)
            log.warning("topic has grown", topic=self._topic, partitions=partitions, placed_by=known.partitions)

    def _count_waiting(self, partitions: int) -> None:
        metrics.partitions_waiting.labels(self._topic.removeprefix(self._settings.prefix)).set(partitions)

    async def _look_at_store(self) -> None:
        if self._known is None:
            return
        noted = dict(self._noted)
        known = await topics.find(self._documents, self._topic)
        if known is None or any(known.reached.get(number, 0) < offset for number, offset in noted.items()):
            self._end(f"MongoDB has less of {self._topic} than before: it was restored from a backup")
        elif self._compare(known) and self._growth:
            await self._take_in(known, self._growth)

    def _compare(self, known: Known) -> bool:
        """Whether the store knows the topic as this process does; if not, this process ends."""
        mine = self._known
        if mine is None or known.topic_id != mine.topic_id:
            self._end(f"{self._topic} was made anew")
        elif known.partitions > mine.partitions:
            self._end(f"{self._topic} has {known.partitions} partitions now", Grown)
        elif known.generation != mine.generation:
            self._end(f"{self._topic} has generation {known.generation} now")
        else:
            return True
        return False

    async def _take_in(self, known: Known, growth: TopicGrowth) -> None:
        """Place recipients by all partitions, once that is possible. Of several processes that can, one does it."""
        asked_at = time.monotonic()
        ends = await group_offsets.ends(self._settings, [Partition(self._topic, n) for n in range(growth.partitions)])
        grown = growth.look({partition.number: end for partition, end in ends.items()}, known, asked_at)
        if grown is not None and await topics.replace(self._documents, known, grown):
            log.warning("new partitions are taken in", topic=self._topic, partitions=grown.partitions)
            self._compare(grown)

    def _end(self, reason: str, why: type[Outdated] = Outdated) -> None:
        if not self._outdated.done():
            self._outdated.set_exception(why(reason))
