"""By how much the clocks of brokers differ from this machine's: told by what others have just produced.

Kafka tells nobody its time, but it stamps each record when it takes it. A record that was not there at one moment, and
is there at a later one, was taken in between. If its stamp is not between the two, the broker's clock is off.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.structs import TopicPartition

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.lag.batch_headers import headers_at
from clarion.broker.lag.group_lags import GroupLags

_BETWEEN_S: Final = 1.0  # an offset of a clock that is shorter is not seen, and does no harm


def beyond(told: float, earliest: float, latest: float) -> float:
    """Return by how much `told` is after `latest`, or, below 0, before `earliest`; 0 in between."""
    return told - min(max(told, earliest), latest)


async def clock_skews(lags: GroupLags, topics: Mapping[str, str]) -> dict[str, float]:
    """Return by how many seconds each broker's clock is ahead of this machine's, or, below 0, behind it.

    Brokers are named by host and port. One that takes no records of these topics now is left out. Raises one of
    `clients.SEND_ERRORS`.
    """
    client = await lags.client()
    partitions = await lags.partitions(topics)
    earliest = time.time()
    before = await lags.ends(partitions)
    await asyncio.sleep(_BETWEEN_S)
    after = await lags.ends(partitions)
    latest = time.time()
    newest = {p: end - 1 for p, end in after.items() if end > before[p]}
    headers = await headers_at(client, _one_of_each_leader(client, newest))
    return {
        _address(client, partition): beyond(header.appended_ms / 1000, earliest, latest)
        for partition, header in headers.items()
        if header.appended_ms is not None
    }


def _one_of_each_leader(client: Any, newest: Mapping[Partition, int]) -> dict[Partition, int]:
    by_leader = {client.cluster.leader_for_partition(TopicPartition(*p)): (p, offset) for p, offset in newest.items()}
    return dict(by_leader.values())


def _address(client: Any, partition: Partition) -> str:
    broker = client.cluster.broker_metadata(client.cluster.leader_for_partition(TopicPartition(*partition)))
    return f"{broker.host}:{broker.port}"
