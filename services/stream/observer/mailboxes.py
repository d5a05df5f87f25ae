"""Look at how many mailboxes are free for gateways that start."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.store import mailboxes
from clarion.store.driver.database import Collection
from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from clarion.telemetry import metrics
from services.stream.observer.looks import Look

_EVERY_S: Final = 5.0
_WITHIN_S: Final = 5.0


@dataclass(slots=True)
class MailboxCount:
    """Counts, of `mailboxes`, those that nobody keeps. Pure: time is passed in, in seconds of a monotonic clock."""

    mailboxes: int
    _seen: dict[int, tuple[Lease, float]] = field(default_factory=dict[int, tuple[Lease, float]])

    def free(self, leases: Mapping[int, Lease], now: float) -> int:
        """Return how many are free: never taken, given back, or not renewed for so long that they may be taken."""
        self._seen = {mailbox: self._since(lease, now) for mailbox, lease in leases.items() if mailbox < self.mailboxes}
        return self.mailboxes - sum(
            bool(lease.owner) and now - since <= TAKE_AFTER_S for lease, since in self._seen.values()
        )

    def _since(self, lease: Lease, now: float) -> tuple[Lease, float]:
        """Return the lease with when it was first seen as it is."""
        seen = self._seen.get(lease.mailbox)
        return seen if seen is not None and seen[0] == lease else (lease, now)


def mailboxes_look(leases: Collection, count: int) -> Look:
    """Return the look at the free ones of `count` mailboxes."""
    counting = MailboxCount(count)

    async def look() -> None:
        metrics.mailboxes_free.set(counting.free(await mailboxes.find_all(leases), time.monotonic()))

    return Look("mailboxes", look, [metrics.mailboxes_free], _EVERY_S, _WITHIN_S)
