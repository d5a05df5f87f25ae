"""What a consumer needs of the object that keeps its commits together with the store."""

from collections.abc import Mapping
from typing import Protocol

from clarion.broker.consuming.commit_tracker import Partition

Offsets = Mapping[Partition, int]


class OffsetStore(Protocol):
    """Keeps a group's commits together with what the store has."""

    async def resume(self, committed: Offsets) -> Offsets:
        """Return where to read on, for the partitions in which that is not the committed offset."""
        ...

    async def note(self, offsets: Offsets) -> bool:
        """Note what is about to be committed; return False to refuse the commit."""
        ...

    def commit_metadata(self) -> str:
        """Return the metadata for commits, which Kafka keeps with them."""
        ...

    def placed_by(self) -> int | None:
        """Return how many partitions of the topic are read, from the first on; None for all of them."""
        ...
