"""Which mailboxes somebody reads: for what goes to all of them while MongoDB cannot say who is where."""

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
    """The mailboxes that had an owner when MongoDB was last asked; all of them if it never answered, or none had.

    No gateway serves anybody before all had the time to ask since it came (`KNOWN_AFTER_S`, D-lanes-know).
    """

    leases: Collection
    count: int
    _owned: Sequence[int] = field(default=())

    def mailboxes(self) -> Sequence[int]:
        return self._owned or range(self.count)

    async def run(self) -> None:
        """Look for ever; while MongoDB is away, what was seen last stands."""
        while True:
            try:
                leases = await mailboxes.read_all(self.leases)
            except database.TRANSIENT as error:
                log.info("mailboxes are not known anew", error=repr(error))
            else:
                self._owned = [number for number, lease in leases.items() if lease.owner]
            await asyncio.sleep(mailboxes.LOOK_EVERY_S)
