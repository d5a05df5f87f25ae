"""Receipts that wait to be sent: bounded, in order for each user, what can be one receipt is one. Pure."""

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.receipts import Receipt

CAPACITY: Final = 10_000  # receipts
CAPACITY_IDS: Final = 100_000  # in all of them

_kind: Final = attrgetter("op", "session", "unstored", "folded")


class ReceiptQueue:
    """The longer it is, the more falls together: a receipt joins its user's last one that waits, if they are alike."""

    def __init__(self) -> None:
        self._waiting: deque[Receipt] = deque()
        self._last_of: dict[str, Receipt] = {}
        self._ids = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, receipt: Receipt) -> bool:
        """False when there is no room."""
        if len(self._waiting) >= CAPACITY or self._ids + len(receipt.ids) > CAPACITY_IDS:
            return False
        self._ids += len(receipt.ids)
        last = self._last_of.get(receipt.user)
        if last is not None and _kind(last) == _kind(receipt) and len(last.ids) + len(receipt.ids) <= IDS_PER_FRAME:
            last.ids.extend(receipt.ids)
        else:
            self._waiting.append(receipt)
            self._last_of[receipt.user] = receipt
        return True

    def take(self, most: int) -> list[Receipt]:
        """The first ones. Nothing joins them any more."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for receipt in taken:
            self._ids -= len(receipt.ids)
            if self._last_of.get(receipt.user) is receipt:
                del self._last_of[receipt.user]
        return taken

    def give_back(self, taken: Sequence[Receipt]) -> None:
        """They were not sent, and are the first again."""
        self._ids += sum(len(receipt.ids) for receipt in taken)
        self._waiting.extendleft(reversed(taken))
