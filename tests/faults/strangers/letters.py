"""Dead letters against the bad records that were sent: each has one, which names its cause. Matching is pure."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.faults.strangers.records import Bad

_QUIET_S: Final = 3.0
_WITHIN_S: Final = 60.0


class Letter(NamedTuple):
    """A dead letter: what it says of the record it is about."""

    topic: str
    partition: int
    offset: int
    reason: str
    error: str


@dataclass(slots=True)
class Findings:
    """Places of records with something wrong, by kind of wrong."""

    missing: list[str] = field(default_factory=list[str])
    several: list[str] = field(default_factory=list[str])
    another_cause: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])

    def wrongs(self) -> dict[str, list[str]]:
        return {
            "bad records without a dead letter": self.missing,
            "bad records with several dead letters": self.several,
            "dead letters that name another cause": self.another_cause,
            "dead letters of good records": self.unexpected,
        }


def judge(sent: Mapping[tuple[str, int, int], Bad], letters: Sequence[Letter]) -> Findings:
    """Hold the letters against what was sent; `sent` is by topic, partition and offset."""
    found, by_place = Findings(), dict[tuple[str, int, int], list[Letter]]()
    for letter in letters:
        by_place.setdefault(letter[:3], []).append(letter)
    for place, bad in sent.items():
        own = by_place.pop(place, [])
        if not own:
            found.missing.append(f"{bad.kind} at {place}")
        elif len(own) > 1:
            found.several.append(f"{bad.kind} at {place}")
        elif own[0].reason not in bad.reasons or bad.names not in own[0].error:
            found.another_cause.append(f"{bad.kind}: {own[0].reason}: {own[0].error}")
    found.unexpected = [f"{one.reason}: {one.error}" for rest in by_place.values() for one in rest]
    return found


async def collect(settings: Settings, expected: int) -> list[Letter]:
    """All dead letters there are, once as many as `expected` have come and no other follows."""
    consumer: Any = clients.mailbox_consumer(settings)
    topic = Names(settings.prefix).dead_letters
    await clients.start(consumer)
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(await _partitions(consumer, topic))]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        return await _read(consumer, expected)
    finally:
        await clients.stop(consumer)


async def _partitions(consumer: Any, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()
    await consumer.topics()
    return consumer.partitions_for_topic(topic) or set()


async def _read(consumer: Any, expected: int) -> list[Letter]:
    found: list[Letter] = []
    loop = asyncio.get_running_loop()
    ends = loop.time() + _WITHIN_S
    while loop.time() < ends:
        batches = await consumer.getmany(timeout_ms=int(_QUIET_S * 1000))
        found += [_letter(record) for batch in batches.values() for record in batch]
        if not batches and len(found) >= expected:
            break
    return found


def _letter(record: Any) -> Letter:
    facts = {name: content.decode(errors="replace") for name, content in record.headers if content is not None}
    return Letter(
        facts["topic"], int(facts["partition"]), int(facts["offset"]), facts.get("reason", ""), facts.get("error", "")
    )
