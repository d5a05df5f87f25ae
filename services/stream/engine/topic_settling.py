"""Have all processes that read a topic agree on what the store knows of it, and on what is read again."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from clarion.broker import group_offsets, topic_ids
from clarion.broker.consuming.commit_tracker import Partition
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver.database import Collection
from clarion.store.topics import Known
from clarion.telemetry import metrics
from services.stream.engine.topic_identity import judge

log = structlog.get_logger()

_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Settling:
    """The topic and the group that reads it. `client` is a connected aiokafka client; `ordered` as in `Checkpoints`."""

    settings: Settings
    documents: Collection
    topic: str
    group: str
    client: Any
    ordered: bool

    async def settle(self) -> Known:
        """Judge which topic of its name this is, write that to the store where it differs, and return it.

        Raises one of `clients.SEND_ERRORS` or of `database.TRANSIENT`.
        """
        while True:
            known = await topics.find(self.documents, self.topic)
            judged = await self._judge(known)
            if judged is not None and judged == known:
                return judged
            if judged is not None and known is None and await topics.create(self.documents, judged):
                log.info("a topic is new to the store", topic=self.topic, topic_id=judged.topic_id)
                return judged
            if judged is not None and known is not None and await topics.replace(self.documents, known, judged):
                self._tell(known, judged)
                return judged
            await asyncio.sleep(_AGAIN_S)  # another process was faster, or the broker does not know this topic yet

    async def _judge(self, known: Known | None) -> Known | None:
        """Return what the store should know; None when the broker does not know the topic, or tells of an earlier."""
        found = await topic_ids.describe(self.client, self.topic)
        if found is None:
            return None
        async with group_offsets.asking(self.settings) as admin:
            told = await group_offsets.committed(admin, [self.group])
        commits = {at.number: one for at, one in told.items() if at.topic == self.topic}
        judged = judge(self.topic, found, known, commits, self.settings.generation)
        if judged is not None and not self.ordered:
            return replace(judged, partitions=max(judged.partitions, found.partitions))
        return judged

    def _tell(self, before: Known, after: Known) -> None:
        if before.topic_id == after.topic_id:
            log.info(
                "what the store knows of a topic has changed",
                topic=self.topic,
                generation=after.generation,
                partitions=after.partitions,
            )
            return
        metrics.topics_made_anew.labels(self.topic.removeprefix(self.settings.prefix)).inc()
        log.warning(
            "a topic was deleted and created again: its generation rises, and it is read from its beginning",
            topic=self.topic,
            topic_id=after.topic_id,
            before=before.topic_id,
            generation=after.generation,
        )


async def read_again(settings: Settings, documents: Collection, known: Known, numbers: Iterable[int]) -> None:
    """Note that these partitions of a topic are read again up to their ends: what anybody may have seen is below them.

    Raises one of `clients.SEND_ERRORS` or of `database.TRANSIENT`.
    """
    ends = await group_offsets.ends(settings, [Partition(known.topic, number) for number in numbers])
    await topics.read_again(documents, known, {partition.number: end for partition, end in ends.items()})
