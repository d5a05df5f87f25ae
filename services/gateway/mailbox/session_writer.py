"""Sessions: tells the stream who is here. Writes are batched: what comes while one is under way goes in the next.

Once a batch is stored, and only then, what its users have waiting is asked for all of them at once
(D-ask-after-session).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from pymongo import DeleteOne, UpdateOne

from clarion.resilience.retry import retry
from clarion.store import sessions
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.mailboxes import Lease
from services.gateway.mailbox.connect_lookup import ConnectLookup

log = structlog.get_logger()

BATCH: Final = 500

LookUp = Callable[[Mapping[str, datetime | None]], Awaitable[Mapping[str, ConnectLookup]]]


@dataclass(slots=True)
class SessionNotes:
    """What one lease's sessions shall say, not written yet; a later note for a user replaces an earlier one. Pure."""

    lease: Lease
    sequence: int = 0  # of the latest write
    wanted: dict[str, bool] = field(default_factory=dict[str, bool])  # in the order in which they were wanted

    def note(self, user: str, is_present: bool) -> None:
        self.wanted.pop(user, None)
        self.wanted[user] = is_present

    def take(self) -> tuple[list[str], list[UpdateOne | DeleteOne]]:
        """The users whose notes are to be written next, and the writes."""
        users = list(self.wanted)[:BATCH]
        return users, [self._change(user, self.wanted.pop(user)) for user in users]

    def _change(self, user: str, is_present: bool) -> UpdateOne | DeleteOne:
        self.sequence += 1
        write = sessions.present if is_present else sessions.absent
        return write(user, self.lease.mailbox, self.lease.epoch, self.sequence)


class SessionRefused(Exception):
    """A user's session can never be stored: who connects as this user cannot be served, and all others can."""


@dataclass(slots=True)
class _Arriving:
    """`since`: see `SessionWriter.present`."""

    since: datetime | None
    known: "asyncio.Future[ConnectLookup]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def refuse(self, error: str) -> None:
        if not self.known.done():
            self.known.set_exception(SessionRefused(error))
            self.known.exception()  # seen: nobody may wait any more, and then asyncio would complain


@dataclass(slots=True)
class SessionWriter:
    """One lease's sessions. `run` writes; `present` and `absent` only note what to write.

    Bounded by the users here: a later note for a user replaces an earlier one that is not yet written.
    """

    collection: Collection
    lease: Lease
    look_up: LookUp
    _notes: SessionNotes = field(init=False)
    _arriving: dict[str, _Arriving] = field(default_factory=dict[str, _Arriving])
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._notes = SessionNotes(self.lease)

    def present(self, user: str, since: datetime | None) -> "asyncio.Future[ConnectLookup]":
        """Done once the session is stored, or `SessionRefused`.

        It is written even when a sibling connection is here (D-session-each). `since` is from when on it matters what
        was delivered to the user; None when it is not worth asking about.
        """
        self._note(user, True)
        arriving = self._arriving.get(user)
        if arriving is None:
            arriving = self._arriving[user] = _Arriving(since)
        elif since is None or arriving.since is None:
            arriving.since = None
        else:
            arriving.since = min(arriving.since, since)
        return arriving.known

    def absent(self, user: str) -> None:
        self._note(user, False)

    def _note(self, user: str, is_present: bool) -> None:
        self._notes.note(user, is_present)
        self._settled.clear()
        self._work.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            await self.flush()
            self._work.clear()
            if self._notes.wanted:
                self._work.set()
            else:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until nothing is noted that is not written."""
        if self._work.is_set():
            await self._settled.wait()

    async def flush(self) -> None:
        """Write what is noted, until nothing is."""
        while self._notes.wanted:
            users, changes = self._notes.take()
            # whoever waited for a `present` that an `absent` has replaced is gone, and must not wait for ever
            arriving = {user: one for user in users if (one := self._arriving.pop(user, None))}
            refused = await retry(
                lambda changes=changes: sessions.write(self.collection, changes), "mongodb", *database.TRANSIENT
            )
            if refused:
                log.error(
                    "sessions that MongoDB can never take", refused=len(refused), first=next(iter(refused.values()))
                )
            for index, error in refused.items():
                if one := arriving.pop(users[index], None):
                    one.refuse(error)
            if not arriving:
                continue
            wanted = {user: one.since for user, one in arriving.items()}
            found = await retry(lambda wanted=wanted: self.look_up(wanted), "mongodb", *database.TRANSIENT)
            for user, one in arriving.items():
                if not one.known.done():
                    one.known.set_result(found[user])
