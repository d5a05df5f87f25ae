"""Kafka: lanes, mailboxes and receipts. Whatever is acknowledged there stays, but for a mailbox's retention."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Receipt
from tests.model.world.world import Part


@dataclass(slots=True)
class LaneLog(Part):
    """A lane's only partition, as its group sees it: the worker that is to read it, and the committed offset."""

    owner: int | None = None
    committed: int = 0

    def copy(self) -> Self:
        return type(self)(self.owner, self.committed)

    def key(self) -> Hashable:
        return self.owner, self.committed


class Delivery(NamedTuple):
    """`items` or `unstored` with ids, or a `fence` with its epoch. `routed_for`: only where a rule is left out."""

    kind: str
    content: Any
    routed_for: int | None = None


@dataclass(slots=True)
class MailboxLog(Part):
    """A mailbox's partition of one of the two delivery topics."""

    start: int = 0
    records: tuple[Delivery, ...] = ()

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def copy(self) -> Self:
        return type(self)(self.start, self.records)

    def key(self) -> Hashable:
        return self.start, self.records


@dataclass(slots=True)
class Receipts(Part):
    waiting: tuple[Receipt, ...] = ()

    def copy(self) -> Self:
        return type(self)(self.waiting)

    def key(self) -> Hashable:
        return tuple((receipt.user, tuple(receipt.ids), receipt.unstored, receipt.at) for receipt in self.waiting)


def partition(lane: Lane) -> Partition:
    return Partition(f"notifications.{lane}", 0)


def topic(lane: Lane) -> str:
    """Which of a mailbox's two partitions carries a lane."""
    return "urgent" if lane is Lane.URGENT else "bulk"
