"""Know which mailboxes somebody reads: urgent goes to all of them while MongoDB cannot say who is where."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from clarion.store import mailboxes
from clarion.store.driver import database
from clarion.store.driver.database import Collection

log = structlog.get_logger()


@dataclass(slots=True)
class LiveMailboxes:
    """The mailboxes that had an owner when MongoDB last answered; all if it never did, or none had an owner.

    A gateway that takes a mailbox serves nobody before every lane had the time to look (`KNOWN_AFTER_S`, D-lanes-know).
    """

    leases: Collection
    count: int
    _owned: Sequence[int] = field(default=())

    def mailboxes(self) -> Sequence[int]:
        """Return the numbers of the mailboxes to send to."""
        return self._owned or range(self.count)

    async def run(self) -> None:
        """Look every LOOK_EVERY_S until cancelled. While MongoDB is away, what was seen last stands."""
        while True:
            try:
                leases = await mailboxes.find_all(self.leases)
            except database.TRANSIENT as error:
                log.info("the mailboxes in use could not be read, so the last known ones count", error=repr(error))
            else:
                self._owned = [number for number, lease in leases.items() if lease.owner]
            await asyncio.sleep(mailboxes.LOOK_EVERY_S)
