"""The four priorities. Each is a lane, with a topic, a Faust app, a consumer group and a process of its own."""

from enum import StrEnum
from typing import Final


class Lane(StrEnum):
    """The priority of a notification, most urgent first, which is also the order of replay."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


LANES: tuple[Lane, ...] = tuple(Lane)

# The objective of each lane: so long may 99 of 100 notifications take from publishing to the frame, in seconds.
OBJECTIVES_S: Final = {Lane.URGENT: 0.25, Lane.HIGH: 0.5, Lane.NORMAL: 1.0, Lane.LOW: 5.0}
