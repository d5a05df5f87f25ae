"""Asks Kafka how far consumer groups are behind: their commits, where their topics begin and end, and how old it is.

No worker is asked, so the lag is right while none runs, and counts once however partitions are shared among workers.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import CoordinationType

from clarion.broker import clients, group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.lag.batch_headers import Header, headers_at
from clarion.broker.lag.unread import Lag, Unread, lag_of, of_topic, unread
from clarion.broker.topics import question
from clarion.settings import Settings

_MARKERS: Final = 20  # so many of Kafka's own markers in a row are passed over, to find a record


@dataclass(slots=True)
class GroupLags:
    """Keeps one connection to Kafka, which is made when it is first needed. `close` ends it."""

    settings: Settings
    _consumer: Any = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: dict[Partition, tuple[int, Header]] = field(default_factory=dict[Partition, tuple[int, Header]])

    async def client(self) -> Any:
        """Return a connected client. Raises one of `clients.SEND_ERRORS`."""
        return (await self._started())._client

    async def close(self) -> None:
        """Close the connection, if there is one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await clients.stop(consumer)

    async def partitions(self, topics: Mapping[str, str]) -> list[Partition]:
        """Return all partitions of these topics, by group; of one that does not exist, none."""
        client = await self.client()
        answer: Any = await client.send(client.get_random_node(), question(topics.values()))
        told: list[dict[str, Any]] = [one for one in answer.to_object()["topics"] if not one["error_code"]]
        await client.set_topics([one["topic"] for one in told])
        return [Partition(one["topic"], number) for one in told for number in range(len(one["partitions"]))]

    async def ends(self, partitions: list[Partition]) -> dict[Partition, int]:
        """Return the offset after the last record of each partition, whether or not it is committed."""
        found: Mapping[Any, int] = await (await self._started()).end_offsets([TopicPartition(*p) for p in partitions])
        return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def ask(self, topics: Mapping[str, str], now_s: float) -> dict[str, Lag]:
        """Return the lag of each group in the topic that it reads; of a topic that does not exist, none.

        `now_s` is Unix time. Raises one of `clients.SEND_ERRORS`.
        """
        partitions = await self.partitions(topics)
        commits = await asyncio.gather(*(self._commits(group) for group in topics))
        committed = {partition: offset for some in commits for partition, offset in some.items()}
        starts = await self._starts(partitions)
        # asked for after the commits, which are then never beyond them
        ends = await self.ends(partitions)
        unreads = {p: unread(committed.get(p), starts[p], ends[p]) for p in partitions}
        unreads, came = await self._first_records(unreads)
        return {
            group: lag_of(some.values(), (came.get(partition) for partition in some), now_s)
            for group, topic in topics.items()
            if (some := of_topic(unreads, topic))
        }

    async def _first_records(
        self, unreads: Mapping[Partition, Unread]
    ) -> tuple[dict[Partition, Unread], dict[Partition, int | None]]:
        """Return what is unread without the markers in front of it, and when the first records of it came."""
        unreads = dict(unreads)
        came: dict[Partition, int | None] = {}
        for _ in range(_MARKERS):
            wanted = {p: one.first for p, one in unreads.items() if one.records and p not in came}
            if not wanted:
                break
            for partition, header in (await self._headers(wanted)).items():
                if header.is_control:
                    end = unreads[partition].end
                    unreads[partition] = Unread(min(header.next_offset, end), end)
                else:
                    came[partition] = header.appended_ms
        return unreads, came

    async def _headers(self, wanted: Mapping[Partition, int]) -> dict[Partition, Header]:
        """Return the headers at these offsets. Those that were asked for before, as of a lane that stands, are kept."""
        before = ((partition, self._known.get(partition, (-1, None))) for partition in wanted)
        known = {partition: header for partition, (offset, header) in before if header and offset == wanted[partition]}
        asked = await headers_at(await self.client(), {p: o for p, o in wanted.items() if p not in known})
        self._known.update((partition, (wanted[partition], header)) for partition, header in asked.items())
        return known | asked

    async def _starts(self, partitions: list[Partition]) -> dict[Partition, int]:
        found: Mapping[Any, int] = await (await self._started()).beginning_offsets(
            [TopicPartition(*p) for p in partitions]
        )
        return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def _commits(self, group: str) -> dict[Partition, int]:
        """Return the offsets that a group has committed; a group that has never been has none. Raises KafkaError."""
        client = await self.client()
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(coordinator, group_offsets.question(group))
        return {partition: one.offset for partition, one in group_offsets.commits_of(answer, group).items()}

    async def _started(self) -> Any:
        async with self._starting:
            if self._consumer is None:
                consumer = clients.observing_consumer(self.settings)
                try:
                    await clients.start(consumer)
                except BaseException:
                    await clients.stop(consumer)
                    raise
                self._consumer = consumer
        return self._consumer
