"""How many come from one address."""

from typing import Final


class AddressCounter:
    """At most `most` inside at once from an address; 0 is no limit. Bounded by who is inside."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._inside: Final[dict[str, int]] = {}

    def is_full(self, address: str) -> bool:
        return 0 < self._most <= self._inside.get(address, 0)

    def enter(self, address: str) -> None:
        self._inside[address] = self._inside.get(address, 0) + 1

    def leave(self, address: str) -> None:
        left = self._inside[address] - 1
        if left:
            self._inside[address] = left
        else:
            del self._inside[address]

    def __len__(self) -> int:
        """How many addresses there are."""
        return len(self._inside)
