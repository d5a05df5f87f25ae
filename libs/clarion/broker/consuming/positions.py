"""What a consumer asks of the one who keeps its commits together with the store."""

from collections.abc import Mapping
from typing import Protocol

from clarion.broker.consuming.commit_tracker import Partition

Offsets = Mapping[Partition, int]


class Positions(Protocol):
    """Who keeps a group's commits together with the store."""

    async def resume(self, committed: Offsets) -> Offsets:
        """Return from where to read on where that is not what is committed."""
        ...

    async def note(self, offsets: Offsets) -> bool:
        """Take note of what is about to be committed; return False to refuse it."""
        ...

    def mark(self) -> str:
        """Return the metadata of commits."""
        ...

    def placed_by(self) -> int | None:
        """Return how many partitions of the topic are read; None for all of them."""
        ...
