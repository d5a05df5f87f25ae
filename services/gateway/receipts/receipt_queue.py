"""Holds receipts that wait to be sent. Pure.

Their number is bounded, each user's receipts stay in order, and those that can be one receipt become one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.records.receipts import Op, Receipt

CAPACITY: Final = 10_000  # receipts
CAPACITY_IDS: Final = 100_000  # in all receipts together


class ReceiptQueue:
    """A queue in which a receipt joins its user's last one, if both have the same op, session and `unstored`.

    So the longer receipts wait, the fewer they become. A receipt with a trace joins none, and none joins it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Receipt] = deque()
        self._last_of: dict[str, Receipt] = {}
        self._ids = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, user: str, op: Op, ids: Sequence[str], session: str | None, unstored: bool) -> bool:
        """Add `ids` to the user's last receipt, if that is alike and has room; return whether they were added.

        Making a receipt costs more than this, so it is tried first.
        """
        last = self._last_of.get(user)
        if (
            last is None
            or last.session != session
            or last.op is not op
            or last.unstored is not unstored
            or len(last.ids) + len(ids) > IDS_PER_FRAME
            or self._ids + len(ids) > CAPACITY_IDS
        ):
            return False
        self._ids += len(ids)
        last.ids.extend(ids)
        return True

    def put(self, receipt: Receipt) -> bool:
        """Add a receipt; return False when there is no room."""
        is_traced = receipt.traceparent is not None
        if not is_traced and self.join(receipt.user, receipt.op, receipt.ids, receipt.session, receipt.unstored):
            return True
        if len(self._waiting) >= CAPACITY or self._ids + len(receipt.ids) > CAPACITY_IDS:
            return False
        self._ids += len(receipt.ids)
        self._waiting.append(receipt)
        if is_traced:  # what comes next must not join one before it, whose op may be another
            self._last_of.pop(receipt.user, None)
        else:
            self._last_of[receipt.user] = receipt
        return True

    def take(self, most: int) -> list[Receipt]:
        """Take out the first receipts, at most `most`; nothing joins them any more."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for receipt in taken:
            self._ids -= len(receipt.ids)
            if self._last_of.get(receipt.user) is receipt:
                del self._last_of[receipt.user]
        return taken

    def give_back(self, taken: Sequence[Receipt]) -> None:
        """Put receipts that were taken and not sent back to the front."""
        self._ids += sum(len(receipt.ids) for receipt in taken)
        self._waiting.extendleft(reversed(taken))
