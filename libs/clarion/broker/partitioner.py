"""Which partition a recipient's notifications are in: murmur2 of the recipient, as Kafka's own clients place keys."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

from aiokafka import partitioner

_murmur2: Callable[[bytes], int] = cast("Any", partitioner).murmur2
_REMEMBERED: Final = 65_536  # recipients whose hash is kept: it is pure Python and costs microseconds


def partition_of(recipient: str, partitions: int) -> int:
    """Return the number of the partition, out of `partitions`, that a recipient's records are in."""
    return _positive_hash(recipient) % partitions


@lru_cache(_REMEMBERED)
def _positive_hash(recipient: str) -> int:
    return _murmur2(recipient.encode()) & 0x7FFF_FFFF
