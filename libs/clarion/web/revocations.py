"""Refuses tokens that were good until an operator disconnected their user.

A gateway knows every revocation in force before it serves anybody: those in MongoDB when it started, those that other
gateways told it since, and those that it found by looking again. So it refuses revoked tokens while MongoDB is away,
too. Ingest serves at once, and goes by what it has found by then.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from clarion.contracts import times
from clarion.resilience.retry import retry
from clarion.security.tokens import Claims, KeysUnavailable, TokenError
from clarion.security.verifier import Verifier
from clarion.store import revocations
from clarion.store.driver import database
from clarion.store.driver.database import Collection

log = structlog.get_logger()

LOOK_EVERY_S: Final = 10.0
UNTOLD_EVERY_S: Final = 2.0  # for a process without a mailbox, in which a gateway is told
_CLOCKS: Final = timedelta(minutes=1)  # by how much another gateway's clock may differ
REVOKED: Final = "the token was revoked: sign in again"
UNKNOWN: Final = "MongoDB does not answer, so it is unknown whether the token was revoked: try again later"
KNOWN_S: Final = 10.0  # how long it is not asked again whether a user's tokens are revoked
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Revocations:
    """What one process knows of revoked tokens: at most `revocations.LATEST` users whose tokens are revoked.

    When there are more, the earliest are forgotten, and tokens that were issued before their time cannot be judged
    without MongoDB (see `decides`). As many users who were asked about lately are remembered, too. `now` is monotonic
    seconds, `today` seconds since 1970.
    """

    verifier: Verifier
    stored: Collection
    now: Callable[[], float] = time.monotonic
    today: Callable[[], float] = time.time
    _tokens_from: OrderedDict[str, datetime] = field(default_factory=OrderedDict[str, datetime])
    _asked: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float])  # when to ask about each again
    _complete_from: float = math.inf  # every revocation of a token issued since then is known

    def note(self, user: str, tokens_from: datetime | None) -> None:
        """Note since when a user's tokens are good, None if none is revoked. An earlier moment changes nothing."""
        if tokens_from is not None:
            before = self._tokens_from.pop(user, tokens_from)
            self._tokens_from[user] = max(before, tokens_from)
            if len(self._tokens_from) > revocations.LATEST:
                _, forgotten = self._tokens_from.popitem(last=False)
                self._complete_from = max(self._complete_from, forgotten.timestamp())
        self._asked.pop(user, None)
        self._asked[user] = self.now() + KNOWN_S
        if len(self._asked) > revocations.LATEST:
            self._asked.popitem(last=False)

    def refuses(self, claims: Claims) -> bool:
        """Return whether a token is known to be revoked. If not, it may still be found when its session is stored."""
        tokens_from = self._tokens_from.get(claims.subject)
        return tokens_from is not None and self._earliest(claims) < tokens_from.timestamp()

    def decides(self, claims: Claims) -> bool:
        """Return whether `refuses` is right without MongoDB, except for what was revoked since the last look."""
        return self._earliest(claims) >= self._complete_from

    def _earliest(self, claims: Claims) -> float:
        """Return the earliest moment when a token can have been issued, by this clock, which its issuer's may lead.

        For a token that says it was issued later than now, all of the leeway counts; for another one, as much as the
        issuer's clock was seen ahead. So a user who comes back with a new token of an exact issuer does not have to
        wait for the leeway.
        """
        leads = claims.issued > self.today()
        return claims.issued - (self.verifier.leeway_s if leads else self.verifier.lead_s)

    async def load(self) -> None:
        """Learn all revocations in force, before anybody is served. Raise one of `database.TRANSIENT`."""
        found = await revocations.since(self.stored, _EVER)
        self._complete_from = _complete_from(found)
        for user, tokens_from in sorted(found.items(), key=lambda one: one[1]):
            self.note(user, tokens_from)

    async def look(self, moment: datetime) -> dict[str, datetime]:
        """Return the users whose tokens were revoked since `moment`. Raise one of `database.TRANSIENT`."""
        found = await revocations.since(self.stored, moment)
        self._complete_from = max(self._complete_from, _complete_from(found))
        return found

    async def verify(self, token: str) -> Claims:
        """Return the claims of a good token that is not revoked.

        Raise `TokenError`, or `KeysUnavailable` when that cannot be told now, also because MongoDB does not answer.
        """
        claims = await self.verifier.verify(token)
        if self.now() >= self._asked.get(claims.subject, 0.0):
            try:
                found = await revocations.of(self.stored, [claims.subject])
            except database.TRANSIENT as error:
                raise KeysUnavailable(UNKNOWN) from error
            self.note(claims.subject, found.get(claims.subject))
        if self.refuses(claims):
            raise TokenError(REVOKED)
        return claims


@dataclass(frozen=True, slots=True)
class AsFarAsKnown:
    """Checks a token without asking MongoDB, for requests that only concern a connection that was admitted before."""

    revocations: Revocations

    async def verify(self, token: str) -> Claims:
        """Return the claims of a good token that is not known to be revoked. Raise as `Verifier.verify`."""
        claims = await self.revocations.verifier.verify(token)
        if self.revocations.refuses(claims):
            raise TokenError(REVOKED)
        return claims


def _complete_from(found: Mapping[str, datetime]) -> float:
    """Return since when a look has found every revocation, in seconds since 1970: it finds only the latest."""
    return 0.0 if len(found) < revocations.LATEST else min(found.values()).timestamp()


async def follow(
    known: Revocations, heard: Callable[[str, datetime], None], looked: datetime, every_s: float | None = None
) -> None:
    """Look for new revocations until cancelled, so that they also reach a gateway that was not told, or lags.

    `looked` is a moment up to which every revocation is known. `heard` is called for each that is found.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY_S if every_s is None else every_s)
        now = times.now()
        try:
            found = await known.look(looked - _CLOCKS)
        except database.TRANSIENT as error:
            log.info("recent revocations could not be read, and are read again later", error=repr(error))
            continue
        looked = now
        for user, tokens_from in found.items():
            heard(user, tokens_from)


async def learn(known: Revocations) -> None:
    """Find all revocations once MongoDB answers, then new ones until cancelled: for ingest, which nobody tells."""
    looked = times.now()
    await retry(known.load, "mongodb", *database.TRANSIENT)
    await follow(known, known.note, looked, UNTOLD_EVERY_S)


def seconds_after(moment: datetime) -> datetime:
    """Return the next full second, since tokens say in seconds when they were issued."""
    return times.from_ms((int(moment.timestamp()) + 1) * 1000)
