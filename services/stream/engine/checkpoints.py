"""Keep the store and the group's commits together, and end the process when they are no longer of one topic.

An offset is written to the store first and committed to Kafka after that, and a process resumes from the lower of the
two. So after a topic was made anew, or MongoDB was restored from an older backup, everything that Kafka retains and the
store lacks is read again; repeats are known by their ids. Faust does not let positions be reset at just any moment, so
a process that finds a difference ends, and its successor resumes at the right place. Whenever the connection to MongoDB
broke, a restored store may be behind it: nothing is stored then before the store has confirmed the topic.

When the topic has grown, a process leaves its group and joins it anew. A worker that has joined with the new count
knows that no other worker stores by the old count any more, since each member asks the store at each assignment, before
it stores anything.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from clarion.broker import group_offsets, topic_ids
from clarion.broker.clients import SEND_ERRORS
from clarion.broker.consuming.commit_tracker import Partition
from clarion.resilience.retry import retry
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.topics import Known
from clarion.telemetry import metrics
from services.stream.engine.stage_order import OwnershipLost
from services.stream.engine.topic_growth import TopicGrowth
from services.stream.engine.topic_identity import places_to_resume
from services.stream.engine.topic_settling import Settling, read_again

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0  # asks broker and store about one topic; health shows within it that a topic has grown


class Outdated(Exception):
    """The topic or the store is not the one that this process began with. Its successor resumes at the right place."""


class Grown(Outdated):
    """The topic has more partitions than this process places recipients by. The windows in hand may be finished."""


class Checkpoints:
    """The checkpoints of one topic and one consumer group. `client` is a connected aiokafka client.

    An `ordered` topic keeps each recipient's order when it grows (`topic_growth.py`). New partitions of other topics
    are read at once.
    """

    def __init__(
        self, settings: Settings, stored: Database, topic: str, group: str, client: Any, *, ordered: bool
    ) -> None:
        self._settings = settings
        self._documents = topics.collection(stored)
        self._topic: Final = topic
        self._group: Final = group
        self._client = client
        self._ordered: Final = ordered
        self._known: Known | None = None
        self._growth: TopicGrowth | None = None
        self._interruptions: Final = database.interruptions(stored)
        # after how many interruptions the store confirmed the topic; None since the latest assignment
        self._confirmed: int | None = self._interruptions.count
        self._noted: dict[int, int] = {}  # by partition, what the store has said that it has, or was told
        self._outdated: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()

    async def settle(self) -> Known:
        """Agree with the other processes on what is known of the topic, and return that.

        Wait while MongoDB or Kafka is away.
        """
        settling = Settling(self._settings, self._documents, self._topic, self._group, self._client, self._ordered)
        self._known = await retry(settling.settle, "mongodb", *database.TRANSIENT, *SEND_ERRORS)
        self._count_waiting(0)
        return self._known

    def commit_metadata(self) -> str:
        """Return the metadata of this process's commits; empty while the generation is not known."""
        return group_offsets.commit_metadata(self._known.generation) if self._known else ""

    async def resume(self, committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return where to read on, for partitions whose commits are ahead of the store.

        The consumer asks for this at each assignment.
        """
        offsets = {partition.number: offset for partition, offset in committed.items()}
        self._confirmed, interruptions = None, self._interruptions.count
        try:
            await self._look()
            known = await topics.find(self._documents, self._topic)
            places = places_to_resume(offsets, known.reached) if known else {}
            if known and places:
                await read_again(self._settings, self._documents, known, places)
        except (*database.TRANSIENT, *SEND_ERRORS) as error:
            # `note` finds a store that is behind later: it commits nothing unless the store has what Kafka says now
            log.warning(
                "the store does not tell its offsets, so the topic is read from the commits on",
                topic=self._topic,
                error=repr(error),
            )
            self._noted |= offsets
            return {}
        if known is None or self._known is None:
            self._noted |= offsets
            return {}
        if self._compare(known):
            self._confirmed = interruptions
        self._noted |= {number: known.reached.get(number, 0) for number in offsets}
        if places:
            metrics.read_again.labels(self._topic.removeprefix(self._settings.prefix)).inc(len(places))
            log.warning("the store is behind the commits, as after a restore: records are read again", places=places)
        return {Partition(self._topic, number): offset for number, offset in places.items()}

    async def confirm(self) -> None:
        """Wait until the store confirms that it has what it had, and knows the topic as this process does.

        Await this before each try to store something. Raise `OwnershipLost` when the topic has changed, since a worker
        that has joined the group since then may store in another generation; and when the store was restored, since
        what came earlier has to become visible in it first (D-restored-order).
        """
        interruptions = self._interruptions.count
        if self._confirmed == interruptions:
            return
        noted = dict(self._noted)
        known = await retry(lambda: topics.find(self._documents, self._topic), "mongodb", *database.TRANSIENT)
        if not self._compare_reached(known, noted):
            raise OwnershipLost("MongoDB was restored, so what it lacks is read again first")
        if known and not self._compare(known):
            raise OwnershipLost("the topic has changed since this process began to read it")
        self._confirmed = interruptions

    def placed_by(self) -> int | None:
        """Return by how many partitions recipients are placed; None when every partition is read.

        Partitions beyond that number are not read yet (`topic_growth.py`).
        """
        return self._known.partitions if self._known and self._ordered else None

    def growing(self) -> str:
        """Return, in words, that the topic has partitions which are not read yet; empty when it has none."""
        known, growth = self._known, self._growth
        return growth.told(self._topic, known.partitions) if known and growth else ""

    def waiting(self, partitions: Iterable[Partition]) -> int:
        """Return how many records wait in those of `partitions` that are not read yet."""
        return sum(self._growth.new.get(partition.number, 0) for partition in partitions) if self._growth else 0

    async def note(self, offsets: Mapping[Partition, int]) -> bool:
        """Tell the store the offsets that it has, before Kafka is told. Return whether Kafka may be told now."""
        if self._known is None:
            return False
        numbers = {partition.number: offset for partition, offset in offsets.items()}
        at_least = {number: self._noted.get(number, 0) for number in numbers}
        try:
            noted = await topics.reach(self._documents, self._known, numbers, at_least)
        except database.TRANSIENT as error:
            log.warning(
                "offsets are not committed to Kafka, because MongoDB does not take them first", error=repr(error)
            )
            return False
        if noted:
            self._noted |= {number: max(offset, at_least[number]) for number, offset in numbers.items()}
        else:
            self._end("MongoDB has another topic or lower offsets: it was restored, or the topic was created again")
        return noted

    async def watch(self) -> None:
        """Look at the topic and the store every LOOK_EVERY_S, until cancelled, for what no commit would show.

        Raise `Outdated` when one of them has changed.
        """
        while True:
            await asyncio.wait([self._outdated], timeout=LOOK_EVERY_S)
            if self._outdated.done():
                self._outdated.result()
            try:
                await self._look()
                await self._look_at_store()
            except (*database.TRANSIENT, *SEND_ERRORS) as error:
                log.debug("the topic could not be compared with the store", topic=self._topic, error=repr(error))

    async def _look(self) -> None:
        """Compare the broker's topic with what this process knows of it."""
        found = await topic_ids.describe(self._client, self._topic)
        known = self._known
        if found and known and found.id != known.topic_id and found.id not in known.past:
            self._end(f"{self._topic} was deleted and created again")
        elif found and known and found.id == known.topic_id and found.partitions > known.partitions:
            self._see_growth(known, found.partitions)

    def _see_growth(self, known: Known, partitions: int) -> None:
        if not self._ordered:
            self._end(f"{self._topic} has {partitions} partitions now", Grown)
        elif self._growth is None or self._growth.partitions != partitions:
            self._growth = TopicGrowth(partitions, time.monotonic())
            self._count_waiting(partitions - known.partitions)
            log.warning(
                "a topic has grown, and its new partitions wait until older records are done",
                topic=self._topic,
                partitions=partitions,
                placed_by=known.partitions,
            )

    def _count_waiting(self, partitions: int) -> None:
        metrics.partitions_waiting.labels(self._topic.removeprefix(self._settings.prefix)).set(partitions)

    async def _look_at_store(self) -> None:
        """Compare what the store has with what it had before, and take in new partitions."""
        if self._known is None:
            return
        noted = dict(self._noted)
        known = await topics.find(self._documents, self._topic)
        if self._compare_reached(known, noted) and known and self._compare(known) and self._growth:
            await self._take_in(known, self._growth)

    def _compare_reached(self, known: Known | None, noted: Mapping[int, int]) -> bool:
        """Return whether the store has all that was `noted` when it was asked. If not, have the process end."""
        if known is None or any(known.reached.get(number, 0) < offset for number, offset in noted.items()):
            self._end(f"MongoDB has lower offsets of {self._topic} than before: it was restored from a backup")
            return False
        return True

    def _compare(self, known: Known) -> bool:
        """Return whether the store knows the topic as this process does. If not, have the process end."""
        mine = self._known
        if mine is None or known.topic_id != mine.topic_id:
            self._end(f"{self._topic} was deleted and created again")
        elif known.partitions > mine.partitions:
            self._end(f"{self._topic} has {known.partitions} partitions now", Grown)
        elif known.generation != mine.generation:
            self._end(f"{self._topic} has generation {known.generation} now")
        else:
            return True
        return False

    async def _take_in(self, known: Known, growth: TopicGrowth) -> None:
        """Have recipients placed by all partitions, once that is possible.

        Of several processes that find it possible, one changes the store.
        """
        asked_at = time.monotonic()
        ends = await group_offsets.ends(self._settings, [Partition(self._topic, n) for n in range(growth.partitions)])
        grown = growth.look({partition.number: end for partition, end in ends.items()}, known, asked_at)
        if grown is not None and await topics.replace(self._documents, known, grown):
            log.warning("the new partitions of a topic are in use", topic=self._topic, partitions=grown.partitions)
            self._compare(grown)

    def _end(self, reason: str, why: type[Outdated] = Outdated) -> None:
        """Have `watch` raise `why`. Only the first reason counts."""
        if not self._outdated.done():
            self._outdated.set_exception(why(reason))
