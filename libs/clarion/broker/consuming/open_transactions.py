"""Where a consumer stands in its partitions, and which of them wait for the end of somebody's transaction.

Of a partition only what was committed is read, in the order of its offsets. So one producer that opens a transaction
and says nothing more holds up what everybody else sends, until the broker ends it after `transaction.timeout.ms`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer

from clarion.broker.consuming.commit_tracker import Partition

log = structlog.get_logger()

NAMED_AFTER_S: Final = 5.0  # a producer that works in transactions has one open for most of the time


class Place(NamedTuple):
    """How far a consumer has come in a partition. `stable`: up to there no transaction is open."""

    partition: Partition
    position: int
    stable: int
    end: int

    @property
    def behind(self) -> int:
        return max(0, self.end - self.position)

    @property
    def readable(self) -> int:
        return max(0, self.stable - self.position)

    @property
    def waits(self) -> bool:
        return self.position >= self.stable and self.end > self.stable


def places(consumer: AIOKafkaConsumer) -> Iterator[Place]:
    """As the latest answers of the broker have it. Asks nobody, and may be called from any thread."""
    subscription: Any = consumer._subscription.subscription
    assignment = subscription and subscription.assignment
    for tp in assignment.tps if assignment else ():
        state = assignment.state_value(tp)
        if state is not None and state.has_valid_position:
            position = state.position
            end = position if state.highwater is None else state.highwater
            stable = end if state.lso is None or state.lso < 0 else state.lso
            yield Place(Partition(tp.topic, tp.partition), position, stable, end)


@dataclass(slots=True)
class _Wait:
    offset: int
    since: float
    told: bool = False


@dataclass(slots=True)
class OpenTransactions:
    """Those that one consumer has to wait for; one entry a partition, so bounded by what it is assigned."""

    _waits: dict[Partition, _Wait] = field(default_factory=dict[Partition, _Wait])

    def look(self, places: Iterable[Place], now: float) -> None:
        """Note where things stand, in all partitions of the consumer. What waits for long is logged once."""
        before, self._waits = self._waits, {}
        for place in places:
            wait = before.get(place.partition)
            if not place.waits:
                if wait and wait.told:
                    log.info("the transaction has ended", topic=place.partition.topic, partition=place.partition.number)
                continue
            if wait is None or wait.offset != place.stable:
                wait = _Wait(place.stable, now)
            self._waits[place.partition] = wait
            if not wait.told and now - wait.since >= NAMED_AFTER_S:
                wait.told = True
                log.warning(
                    "waiting for somebody's open transaction: the broker ends it after its timeout",
                    topic=place.partition.topic,
                    partition=place.partition.number,
                    offset=place.stable,
                    behind=place.behind,
                )

    def longest_s(self, now: float) -> float:
        return max((now - wait.since for wait in self._waits.values()), default=0.0)

    def named(self, now: float) -> str:
        """The partition that has waited longest, for health; empty while none has waited for long."""
        longest = max(self._waits.items(), key=lambda one: now - one[1].since, default=None)
        if longest is None or now - longest[1].since < NAMED_AFTER_S:
            return ""
        partition, wait = longest
        return (
            f"{partition.topic} partition {partition.number} waits at offset {wait.offset} for a transaction "
            f"that a producer left open {now - wait.since:.0f} s ago: the broker ends it after its timeout"
        )
