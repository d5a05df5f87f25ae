"""Tokens that were good and are refused now, since an operator has disconnected their user.

A gateway knows every revocation in force before it serves anybody: what stood in MongoDB when it started, what other
gateways told it since, and what it found by looking again. So it refuses revoked tokens while MongoDB is away, too.
Ingest serves at once, and goes by what it has found by then.
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
UNTOLD_EVERY_S: Final = 2.0  # for who has no mailbox in which it would be told
_CLOCKS: Final = timedelta(minutes=1)  # by which another gateway's may differ
REVOKED: Final = "the token was revoked"
UNKNOWN: Final = "it cannot be told whether the token was revoked"
KNOWN_S: Final = 10.0  # a user may be asked about again
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Revocations:
    """At most `revocations.LATEST` users of whom tokens are revoked, and as many who were asked about of late.

    When more are revoked than that, the earliest are forgotten: then tokens of before their time cannot be judged
    without MongoDB (see `decides`).
    """

    verifier: Verifier
    stored: Collection
    now: Callable[[], float] = time.monotonic
    today: Callable[[], float] = time.time
    _tokens_from: OrderedDict[str, datetime] = field(default_factory=OrderedDict[str, datetime])
    _asked: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float])  # until when that is good enough
    _complete_from: float = math.inf  # of tokens issued since, all that is revoked is known

    def note(self, user: str, tokens_from: datetime | None) -> None:
        """What was found or told of a user; a later moment is never taken back by an earlier one."""
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
        """Whether that is known; what is not known now may be found when its session is stored."""
        tokens_from = self._tokens_from.get(claims.subject)
        return tokens_from is not None and self._earliest(claims) < tokens_from.timestamp()

    def decides(self, claims: Claims) -> bool:
        """Whether `refuses` is the last word without MongoDB, but for what was revoked since it was last looked at."""
        return self._earliest(claims) >= self._complete_from

    def _earliest(self, claims: Claims) -> float:
        """When a token can have been issued, by our clock: an issuer's may be ahead by as much as the leeway.

        Of a token that says it was issued later than now, all of the leeway counts; of another one, as much as was seen
        of its issuer's clock. So nobody has to wait for the leeway who comes back with a new token of an exact issuer.
        """
        leads = claims.issued > self.today()
        return claims.issued - (self.verifier.leeway_s if leads else self.verifier.lead_s)

    async def load(self) -> None:
        """Learn all that is in force, before anybody is served. Raises one of `database.TRANSIENT`."""
        found = await revocations.since(self.stored, _EVER)
        self._complete_from = _complete_from(found)
        for user, tokens_from in sorted(found.items(), key=lambda one: one[1]):
            self.note(user, tokens_from)

    async def look(self, moment: datetime) -> dict[str, datetime]:
        """What was revoked since. Raises one of `database.TRANSIENT`."""
        found = await revocations.since(self.stored, moment)
        self._complete_from = max(self._complete_from, _complete_from(found))
        return found

    async def verify(self, token: str) -> Claims:
        """As `Verifier.verify`, and not revoked. Raises `TokenError`, or `KeysUnavailable`, also without MongoDB."""
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
    """Checks a token without asking the store: for what only goes to a connection that was let in by then."""

    revocations: Revocations

    async def verify(self, token: str) -> Claims:
        claims = await self.revocations.verifier.verify(token)
        if self.revocations.refuses(claims):
            raise TokenError(REVOKED)
        return claims


def _complete_from(found: Mapping[str, datetime]) -> float:
    """Before which a look may have found less than there is."""
    return 0.0 if len(found) < revocations.LATEST else min(found.values()).timestamp()


async def follow(
    known: Revocations, heard: Callable[[str, datetime], None], looked: datetime, every_s: float | None = None
) -> None:
    """Look for what was revoked lately, for ever: a gateway that was not told, or whose mailbox lags, hears so, too.

    `looked` is when everything was known that had been revoked by then.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY_S if every_s is None else every_s)
        now = times.now()
        try:
            found = await known.look(looked - _CLOCKS)
        except database.TRANSIENT as error:
            log.info("not known what was revoked lately", error=repr(error))
            continue
        looked = now
        for user, tokens_from in found.items():
            heard(user, tokens_from)


async def learn(known: Revocations) -> None:
    """Find all that is in force, as soon as MongoDB answers, and then what comes: for a door that nobody tells."""
    looked = times.now()
    await retry(known.load, "mongodb", *database.TRANSIENT)
    await follow(known, known.note, looked, UNTOLD_EVERY_S)


def seconds_after(moment: datetime) -> datetime:
    """The next full second: tokens say when they were issued in seconds."""
    return times.from_ms((int(moment.timestamp()) + 1) * 1000)
