"""Checks what a token claims (RFC 7519), once its signature is known to be good: issuer, audience, subject and times.

Pure: the time is passed in. A refusal repeats numbers of a token, but no text, since that could be anything.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from clarion.contracts import names, times
from clarion.security.tokens import Claims, TokenError

_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_Seconds = int | float
_Words = str | list[str]


class _Payload(msgspec.Struct):
    """The claims that are checked. Others are ignored, whatever they hold."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: _Seconds
    iat: _Seconds | None = None
    nbf: _Seconds | None = None
    scope: _Words | None = None
    scp: _Words | None = None  # the claim in which some issuers put scopes


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must claim.

    `life_s` is how long it may live at most, and `leeway_s` how much its issuer's clock may differ from this one's.
    """

    issuer: str
    audience: str
    life_s: float
    leeway_s: float

    def claims(self, payload: bytes, now: float) -> Claims:
        """Return the claims of a token; `now` is seconds since 1970. Raise `TokenError`, which says what is wrong."""
        found = _decoded(payload)
        if found.iss != self.issuer:
            raise TokenError("the token was refused: its `iss` is not the issuer in CLARION_JWT_ISSUER")
        if self.audience not in ([found.aud] if isinstance(found.aud, str) else found.aud):
            raise TokenError("the token was refused: its `aud` does not name the audience in CLARION_JWT_AUDIENCE")
        if fault := names.fault_of(found.sub):
            raise TokenError(f"the token was refused: its `sub` {fault}")
        expires, issued = self._times(found, now)
        # a token that is accepted by the leeway alone ends with the leeway, and not at once
        expires = expires if expires > now else expires + self.leeway_s
        return Claims(found.sub, _scopes(_words(found.scope) + _words(found.scp)), expires, issued)

    def _times(self, found: _Payload, now: float) -> tuple[float, float]:
        """Return when a token expires, and when it was issued: without `iat`, the earliest moment that is possible."""
        expires = _moment("exp", found.exp)
        issued = expires - self.life_s if found.iat is None else _moment("iat", found.iat)
        if expires + self.leeway_s <= now:
            raise TokenError(f"the token expired {now - expires:.0f} s ago by this server's clock")
        if expires - issued > self.life_s or (found.iat is None and issued > now + self.leeway_s):
            raise TokenError(
                f"the token was refused: it is valid for longer than {self.life_s:g} s (CLARION_TOKEN_LIFE_S)"
            )
        for name, begins in (("iat", issued), ("nbf", _moment("nbf", found.nbf or 0))):
            if begins > now + self.leeway_s:
                raise TokenError(
                    "the token was refused: it is not valid before "
                    f"{times.rfc3339(datetime.fromtimestamp(begins, UTC))} (`{name}`): its issuer's clock is "
                    f"{begins - now:.0f} s ahead of this server's, which is more than the {self.leeway_s:g} s in "
                    "CLARION_TOKEN_LEEWAY_S"
                )
        return expires, issued


def issuer_of(payload: bytes) -> str:
    """Return the issuer that a token claims. Raise `TokenError`."""
    return _decoded(payload).iss


def _decoded(payload: bytes) -> _Payload:
    """Decode claims by Python's own parser, which is lenient: what is in an ignored claim must not spoil the token."""
    try:
        return msgspec.convert(json.loads(payload), _Payload)
    except msgspec.ValidationError as error:
        raise TokenError(f"the token was refused: {error}") from error
    except (ValueError, RecursionError) as error:
        raise TokenError("the token was refused: its claims are not JSON") from error


def _moment(name: str, seconds: _Seconds) -> float:
    """Return a time in seconds. Raise `TokenError` for a number that no calendar has, or no float can hold."""
    if not 0 <= seconds <= _LATEST:
        raise TokenError(f"the token was refused: its `{name}` is not a time in seconds since 1970")
    return float(seconds)


def _words(found: Any) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found or ())


@lru_cache(256)
def _scopes(found: tuple[str, ...]) -> frozenset[str]:
    """Return scopes as one set for all tokens that say the same, as a gateway keeps the claims of its connections."""
    return frozenset(" ".join(found).split())
