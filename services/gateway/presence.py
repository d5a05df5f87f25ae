"""Sessions: tells the stream who is here. Writes are batched: what comes while one is under way goes in the next."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog
from pymongo import DeleteOne, UpdateOne

from clarion.resilience.backoff import retry
from clarion.store import database, sessions
from clarion.store.database import Collection
from clarion.store.mailboxes import Lease

log = structlog.get_logger()

BATCH: Final = 500


@dataclass(slots=True)
class Presence:
    """One lease's sessions. `run` writes; `present` and `absent` only note what to write.

    Bounded by the users here: a later note for a user replaces an earlier one that is not yet written.
    """

    collection: Collection
    lease: Lease
    _sequence: int = 0
    _wanted: dict[str, bool] = field(default_factory=dict[str, bool])
    _waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict[str, "asyncio.Future[None]"])
    _work: asyncio.Event = field(default_factory=asyncio.Event)

    def present(self, user: str) -> "asyncio.Future[None]":
        """Done once the session is stored. Written even when a sibling connection is here already [M]."""
        self._note(user, True)
        future = self._waiting.get(user)
        if future is None or future.done():
            future = self._waiting[user] = asyncio.get_running_loop().create_future()
        return future

    def absent(self, user: str) -> None:
        self._note(user, False)

    def _note(self, user: str, is_present: bool) -> None:
        self._wanted.pop(user, None)  # to the end: writes keep the order in which they were wanted
        self._wanted[user] = is_present
        self._work.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            await self.flush()
            self._work.clear()
            if self._wanted:
                self._work.set()

    async def flush(self) -> None:
        """Write what is noted, until nothing is."""
        while self._wanted:
            users = list(self._wanted.items())[:BATCH]
            # whoever waited for a `present` that an `absent` has replaced is gone, and must not wait for ever
            waiting = [future for user, _ in users if (future := self._waiting.pop(user, None))]
            for user, _ in users:
                del self._wanted[user]
            changes = [self._change(user, is_present) for user, is_present in users]
            await retry(
                lambda changes=changes: sessions.write(self.collection, changes), "mongodb", *database.TRANSIENT
            )
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    def _change(self, user: str, is_present: bool) -> UpdateOne | DeleteOne:
        self._sequence += 1
        write = sessions.present if is_present else sessions.absent
        return write(user, self.lease.mailbox, self.lease.epoch, self._sequence)
