"""The four priorities. A lane is a topic, a Faust app, a consumer group and a process of its own."""

from enum import StrEnum


class Lane(StrEnum):
    """A priority; `LANES` has them in order of urgency, which is also the order of replay."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


LANES: tuple[Lane, ...] = tuple(Lane)
