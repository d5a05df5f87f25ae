"""Have receipts wait, after MongoDB was restored, until what they are about is there again (D-restored-receipts).

A receipt marks what is stored, and changes nothing where there is nothing. A restored store lacks notifications, which
lanes and scheduler read again from Kafka, as the receipts role does with its receipts. Without this wait, a retraction
that is folded before its notification is stored again would be lost, and so would every mark of a user.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from clarion.broker import group_offsets
from clarion.broker.clients import SEND_ERRORS
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.topics import Known
from services.stream.engine.topic_settling import read_again

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.5


@dataclass(slots=True)
class AfterLanes:
    """Looks when the process begins, and each time its connection to MongoDB broke. Otherwise it costs nothing."""

    settings: Settings
    stored: Database
    _settled: int | None = None  # after how many interruptions nothing was missing
    _again: Mapping[int, int] = field(default_factory=dict[int, int])
    _waits_for: str = ""

    def waiting(self) -> str:
        """Return, in words, what receipts wait for; empty when they wait for nothing."""
        return self._waits_for

    def is_read_again(self, partition: int, offset: int) -> bool:
        """Return whether a receipt was folded before, into a store that is gone. Ask it after `wait`."""
        return offset < self._again.get(partition, 0)

    async def wait(self, check: Callable[[], None]) -> None:
        """Wait until the store has the notifications again that it had before it was restored.

        `check` is called again and again, and may raise. Raises one of `database.TRANSIENT` as well.
        """
        interruptions = database.interruptions(self.stored).count
        if self._settled == interruptions:
            return
        documents, receipts = topics.collection(self.stored), Names(self.settings.prefix).receipts
        try:
            await retry(self._note_restored, "kafka", *SEND_ERRORS)
            while missing := [one.topic for one in (await self._known()).values() if one.is_read_again()]:
                if not self._waits_for:
                    log.warning("receipts wait until the restored store has their notifications again", topics=missing)
                self._waits_for = f"receipts wait until {', '.join(missing)} are read again, since MongoDB was restored"
                check()
                await asyncio.sleep(LOOK_EVERY_S)
            known = await topics.find(documents, receipts)
            if self._waits_for and known:
                # what users have marked meanwhile was not there to be marked
                numbers = range(known.partitions)
                await retry(partial(read_again, self.settings, documents, known, numbers), "kafka", *SEND_ERRORS)
                known = await topics.find(documents, receipts)
        finally:
            self._waits_for = ""
        self._again = known.again if known else {}
        self._settled = interruptions

    async def _note_restored(self) -> None:
        """Note which topics the store has less of than was committed, if their own processes have not done so yet.

        Commits are asked for first: what is committed was noted in the store before.
        """
        groups = map(Names(self.settings.prefix).group, [*LANES, "scheduler"])
        async with group_offsets.asking(self.settings) as admin:
            committed = await group_offsets.committed(admin, groups)
        known = await self._known()
        behind: defaultdict[str, list[int]] = defaultdict(list)
        for partition, commit in committed.items():
            one = known.get(partition.topic)
            if one is not None and one.reached.get(partition.number, 0) < commit.offset:
                behind[partition.topic].append(partition.number)
        for topic, numbers in behind.items():
            await read_again(self.settings, topics.collection(self.stored), known[topic], numbers)

    async def _known(self) -> dict[str, Known]:
        """Return what the store knows of the topics that bring notifications."""
        names, documents = Names(self.settings.prefix), topics.collection(self.stored)
        wanted = [*(names.notifications(lane) for lane in LANES), names.scheduled]
        return {one: known for one in wanted if (known := await topics.find(documents, one))}
