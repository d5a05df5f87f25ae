"""Where a consumer stands in its partitions, and which of them wait for the end of an open transaction.

A consumer reads committed records only, in the order of their offsets. So one producer that opens a transaction and
then does nothing holds up what all others send to that partition, until the broker ends the transaction after
`transaction.timeout.ms`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer

from clarion.broker.consuming.commit_tracker import Partition

log = structlog.get_logger()

NAMED_AFTER_S: Final = 5.0  # shorter waits are normal: a transactional producer has one open most of the time


class Place(NamedTuple):
    """How far a consumer is in a partition. No transaction is open below `stable`; `end` is the high watermark."""

    partition: Partition
    position: int
    stable: int
    end: int

    @property
    def behind(self) -> int:
        """Return how many offsets are left up to the end."""
        return max(0, self.end - self.position)

    @property
    def readable(self) -> int:
        """Return how many offsets are left up to the first open transaction, or up to the end."""
        return max(0, self.stable - self.position)

    @property
    def waits(self) -> bool:
        """Return whether an open transaction keeps the consumer from reading on."""
        return self.position >= self.stable and self.end > self.stable


def places(consumer: AIOKafkaConsumer) -> Iterator[Place]:
    """Yield where a consumer stands, by the broker's latest answers. Sends no request; any thread may call it."""
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
    """The open transactions that one consumer waits for, with at most one entry for each of its partitions."""

    _waits: dict[Partition, _Wait] = field(default_factory=dict[Partition, _Wait])

    def look(self, places: Iterable[Place], now: float) -> None:
        """Note the `places` of all the consumer's partitions. A wait of `NAMED_AFTER_S` is logged once."""
        before, self._waits = self._waits, {}
        for place in places:
            wait = before.get(place.partition)
            if not place.waits:
                if wait and wait.told:
                    log.info(
                        "the open transaction has ended, and the partition is read on",
                        topic=place.partition.topic,
                        partition=place.partition.number,
                    )
                continue
            if wait is None or wait.offset != place.stable:
                wait = _Wait(place.stable, now)
            self._waits[place.partition] = wait
            if not wait.told and now - wait.since >= NAMED_AFTER_S:
                wait.told = True
                log.warning(
                    "a partition waits for an open transaction: end its producer, or wait for its timeout",
                    topic=place.partition.topic,
                    partition=place.partition.number,
                    offset=place.stable,
                    behind=place.behind,
                )

    def longest_s(self, now: float) -> float:
        """Return how long the longest present wait has lasted, in seconds."""
        return max((now - wait.since for wait in self._waits.values()), default=0.0)

    def named(self, now: float) -> str:
        """Return a reason for the health report, with the longest wait; empty while none has lasted `NAMED_AFTER_S`."""
        longest = max(self._waits.items(), key=lambda one: now - one[1].since, default=None)
        if longest is None or now - longest[1].since < NAMED_AFTER_S:
            return ""
        partition, wait = longest
        return (
            f"{partition.topic} partition {partition.number} waits at offset {wait.offset} for a transaction "
            f"that a producer left open {now - wait.since:.0f} s ago: end that producer, or wait for its timeout"
        )
