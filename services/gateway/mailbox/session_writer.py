"""Writes sessions, which tell the stream who is here, in batches: what comes during a write goes into the next one.

Once a batch is stored, and not before, what its users have waiting is asked for all of them at once
(D-ask-after-session).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from clarion.resilience.retry import retry
from clarion.store import sessions
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.mailboxes import Lease
from services.gateway.mailbox.connect_lookup import ConnectLookup

log = structlog.get_logger()

BATCH: Final = 500  # sessions in one write

LookUp = Callable[[Mapping[str, datetime | None]], Awaitable[Mapping[str, ConnectLookup]]]


@dataclass(slots=True)
class SessionNotes:
    """What is still to be written of one lease's sessions; a later note for a user replaces an earlier one. Pure.

    `wanted` says for each user whether there shall be a session.
    """

    lease: Lease
    sequence: int = 0  # of the latest write
    wanted: dict[str, bool] = field(default_factory=dict[str, bool])  # in the order of the notes

    def note(self, user: str, is_present: bool) -> None:
        """Note that a user has a connection here, or has none any more."""
        self.wanted.pop(user, None)
        self.wanted[user] = is_present

    def take(self) -> tuple[list[str], list[sessions.Change]]:
        """Take out the notes to write next; return their users and the writes, in the same order."""
        users = list(self.wanted)[:BATCH]
        return users, [self._change(user, self.wanted.pop(user)) for user in users]

    def _change(self, user: str, is_present: bool) -> sessions.Change:
        """Return the write of one session, with the next sequence number."""
        self.sequence += 1
        write = sessions.present if is_present else sessions.absent
        return write(user, self.lease.mailbox, self.lease.epoch, self.sequence)


class SessionRefused(Exception):
    """A user's session can never be stored: clients of this user cannot be served, and all others can."""


@dataclass(slots=True)
class _Arriving:
    """A user who has just connected. For `since`, see `SessionWriter.present`."""

    since: datetime | None
    known: "asyncio.Future[ConnectLookup]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def refuse(self, error: str) -> None:
        """Have `SessionRefused` raised wherever the session is awaited."""
        if not self.known.done():
            self.known.set_exception(SessionRefused(error))
            self.known.exception()  # retrieved, or asyncio logs it when nobody waits any more


@dataclass(slots=True)
class SessionWriter:
    """Writes one lease's sessions. `present` and `absent` only note what to write; `run` writes.

    Its size is bounded by the users here, since a later note for a user replaces an earlier one that is not written
    yet. `look_up` asks what users have waiting.
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
        """Note that a user has connected; return a future for what the user has waiting.

        Its result is set once the session is stored and the lookup has answered; it raises `SessionRefused` when the
        session can never be stored. The session is written even when another connection of the user is here
        (D-session-each). `since` is the time from which on it matters what was delivered to the user, and None when the
        connection reads that by itself.
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
        """Note that the last connection of a user has left."""
        self._note(user, False)

    def _note(self, user: str, is_present: bool) -> None:
        self._notes.note(user, is_present)
        self._settled.clear()
        self._work.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled."""
        while True:
            await self._work.wait()
            await self.flush()
            self._work.clear()
            if self._notes.wanted:
                self._work.set()
            else:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until everything that was noted is written."""
        if self._work.is_set():
            await self._settled.wait()

    async def flush(self) -> None:
        """Write what is noted until nothing is left; for users who have connected, ask what they have waiting."""
        while self._notes.wanted:
            users, changes = self._notes.take()
            # an `absent` may have replaced a `present` whose session is awaited: that wait must end as well
            arriving = {user: one for user in users if (one := self._arriving.pop(user, None))}
            refused = await retry(
                lambda changes=changes: sessions.write(self.collection, changes), "mongodb", *database.TRANSIENT
            )
            if refused:
                log.error(
                    "MongoDB refused sessions for good, and their connections are closed",
                    refused=len(refused),
                    first=next(iter(refused.values())),
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
