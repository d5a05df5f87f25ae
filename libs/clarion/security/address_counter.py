"""Counts connections of each network address."""

from typing import Final


class AddressCounter:
    """Counts what is inside from each address: at most `most` at once, where 0 is no limit.

    An address without anything inside takes no memory.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._inside: Final[dict[str, int]] = {}

    def is_full(self, address: str) -> bool:
        """Return whether as many of an address are inside as may be."""
        return 0 < self._most <= self._inside.get(address, 0)

    def enter(self, address: str) -> None:
        """Count one more of an address, also beyond the limit: ask `is_full` first."""
        self._inside[address] = self._inside.get(address, 0) + 1

    def leave(self, address: str) -> None:
        """Count one less of an address that has entered."""
        left = self._inside[address] - 1
        if left:
            self._inside[address] = left
        else:
            del self._inside[address]

    def __len__(self) -> int:
        """Return how many addresses have anything inside."""
        return len(self._inside)
