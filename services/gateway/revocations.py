"""Tokens that were good and are refused now, since an operator has disconnected their user.

What is known of a user is what was told by other gateways, read with the sessions of those who arrive, or looked up for
HTTP callers. At most 10,000 users; those that were heard of longest ago are forgotten, and looked up again.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from clarion.contracts import times
from clarion.security.tokens import Claims, KeysUnavailable, TokenError
from clarion.security.verifier import Verifier
from clarion.store import database, revocations
from clarion.store.database import Collection

log = structlog.get_logger()

LOOK_EVERY_S: Final = 10.0
_CLOCKS: Final = timedelta(minutes=1)  # by which another gateway's may differ
REVOKED: Final = "the token was revoked"
KNOWN_S: Final = 10.0  # a user of whom nothing was revoked may be asked about again
_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    tokens_from: datetime | None
    until: float  # when to look again


@dataclass(slots=True)
class Revocations:
    verifier: Verifier
    stored: Collection
    now: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict[str, _Known])

    def note(self, user: str, tokens_from: datetime | None) -> None:
        """What was found or told of a user; a later moment is never taken back by an earlier one."""
        before = self._known.pop(user, None)
        moments = [moment for moment in (tokens_from, before and before.tokens_from) if moment]
        self._known[user] = _Known(max(moments, default=None), self.now() + KNOWN_S)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def refuses(self, claims: Claims) -> bool:
        """Whether that is known; what is not known now may be found when its session is stored."""
        known = self._known.get(claims.subject)
        return known is not None and known.tokens_from is not None and claims.issued < known.tokens_from.timestamp()

    async def verify(self, token: str) -> Claims:
        """As `Verifier.verify`, and not revoked. Raises `TokenError`, or `KeysUnavailable`, also without MongoDB."""
        claims = await self.verifier.verify(token)
        known = self._known.get(claims.subject)
        if known is None or self.now() >= known.until:
            try:
                found = await revocations.of(self.stored, [claims.subject])
            except database.TRANSIENT as error:
                raise KeysUnavailable("it cannot be told whether the token was revoked") from error
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


async def follow(stored: Collection, heard: Callable[[str, datetime], None]) -> None:
    """Look for what was revoked lately, for ever: a gateway that was not told, or whose mailbox lags, hears so, too."""
    looked = times.now()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = times.now()
        try:
            found = await revocations.since(stored, looked - _CLOCKS)
        except database.TRANSIENT as error:
            log.info("not known what was revoked lately", error=repr(error))
            continue
        looked = now
        for user, tokens_from in found.items():
            heard(user, tokens_from)


def seconds_after(moment: datetime) -> datetime:
    """The next full second: tokens say when they were issued in seconds."""
    return times.from_ms((int(moment.timestamp()) + 1) * 1000)
