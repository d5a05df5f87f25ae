"""What Kafka and the store say of how far each topic is read, asked for in the order that makes it a proof.

Commits are asked for first. What is below them was stored, or was made a dead letter, before anything else is asked
for. What comes later than the ends is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import group_offsets, record_search, topic_ids
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.record_search import Span
from clarion.broker.topics import describe
from clarion.contracts import times
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names
from clarion.operating.ledger.judging.rows import Source
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver.database import Database
from clarion.store.topics import Known

_NO_GENERATION: Final = -1  # no `ord` has it


class TopicMissing(Exception):
    """A topic that the ledger reads does not exist; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """How far the topics of notifications are read at the moment `at`.

    `spans` are what Kafka retains, up to where committed records end: nothing of an open transaction counts.
    `reached` is what the store says that it has. `anew` has the topics that were made anew since the store knows them.
    `folds_are_done` says that every receipt is folded.
    """

    at: datetime
    sources: Sequence[Source]
    committed: Mapping[Partition, int]
    reached: Mapping[Partition, int]
    spans: Mapping[Partition, Span]
    anew: frozenset[str]
    folds_are_done: bool


async def ask(settings: Settings, within: Database, consumer: Any) -> Offsets:
    """Ask Kafka and the store. Raises `TopicMissing`, one of `clients.SEND_ERRORS` or of `database.TRANSIENT`."""
    names, now = Names(settings.prefix), times.now()
    lanes: dict[str, Lane | None] = {names.notifications(lane): lane for lane in LANES} | {names.scheduled: None}
    async with group_offsets.asking(settings) as admin:
        told = await group_offsets.committed(admin, map(names.group, [*LANES, "scheduler", "receipts"]))
        partitions = await partitions_of(admin, [*lanes, names.receipts])
    known = {topic: await topics.find(topics.collection(within), topic) for topic in lanes}
    ids = {topic: await topic_ids.describe(consumer._client, topic) for topic in lanes}
    spans = await record_search.spans(consumer, partitions)
    sources: list[Source] = []
    anew: set[str] = set()
    for topic, lane in lanes.items():
        count = sum(one.topic == topic for one in partitions)
        state, found = known[topic], ids[topic]
        is_other = state is not None and found is not None and found.id != state.topic_id
        sources.append(_source(topic, lane, state, count, settings.generation, is_other=is_other))
        if is_other or (state and state.past):
            anew.add(topic)
    return Offsets(
        at=now,
        sources=sources,
        committed={one: commit.offset for one, commit in told.items()},
        reached={Partition(topic, n): end for topic, one in known.items() if one for n, end in one.reached.items()},
        spans={one: span for one, span in spans.items() if one.topic in lanes},
        anew=frozenset(anew),
        folds_are_done=_are_done({one: span for one, span in spans.items() if one.topic == names.receipts}, told),
    )


def _source(
    topic: str, lane: Lane | None, known: Known | None, partitions: int, generation: int, *, is_other: bool
) -> Source:
    """Return what is known of a topic. `is_other`: it was made anew, and no process has noticed yet."""
    if known is None:  # no process has read it with this store
        return Source(topic, lane, generation, generation, partitions)
    if is_other:
        return Source(topic, lane, known.generation + 1, _NO_GENERATION, partitions)
    return Source(topic, lane, known.began, known.generation, known.partitions)


def _are_done(spans: Mapping[Partition, Span], told: Mapping[Partition, Commit]) -> bool:
    """Return whether a group has committed all that is in the spans."""
    return all(told[one].offset >= span.end if one in told else span.start == span.end for one, span in spans.items())


async def partitions_of(admin: AIOKafkaAdminClient, wanted: Sequence[str]) -> list[Partition]:
    """Return all partitions of topics. Raises `TopicMissing`, or one of `clients.SEND_ERRORS`."""
    described = await describe(admin, wanted)
    missing = [one["topic"] for one in described if one["error_code"]]
    if missing:
        raise TopicMissing(f"the topic {missing[0]} is missing: run `clarion topics apply`")
    return [Partition(one["topic"], number) for one in described for number in range(len(one["partitions"]))]
