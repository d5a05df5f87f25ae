"""The four priorities. Each is a lane, with a topic, a Faust app, a consumer group and a process of its own."""

from enum import StrEnum


class Lane(StrEnum):
    """The priority of a notification, most urgent first, which is also the order of replay."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


LANES: tuple[Lane, ...] = tuple(Lane)
