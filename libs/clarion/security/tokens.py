"""Tokens: JWT (RFC 7519), signed by a shared secret (HS256) or by a key of a key set (RS256, ES256, EdDSA; JWKS)."""

import time
from dataclasses import dataclass
from typing import Final

import jwt

from clarion.settings import Settings

PUBLISH: Final = "publish"
PUBLISH_ANY: Final = "publish:any"
SUBSCRIBE: Final = "subscribe"
OPERATE: Final = "operate"


class TokenError(Exception):
    """The token proves nothing. The message is safe to show, and never holds the token."""


class KeysUnavailable(Exception):
    """It cannot be told now whether a token is good, as its issuer's keys cannot be fetched: try again later."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says. `expires` and `issued` are seconds since 1970."""

    subject: str
    scopes: frozenset[str]
    expires: float
    issued: float = 0.0

    def may(self, scope: str) -> bool:
        """Return whether the token has a scope."""
        return scope in self.scopes


def mint(settings: Settings, *, sub: str, scope: str, ttl_s: float = 3600) -> str:
    """Make a token signed with the shared secret, for development, tests and the command line.

    It is good for `ttl_s` seconds. Raise `TokenError` without a secret.
    """
    if not settings.jwt_secret:
        raise TokenError("a token cannot be signed without CLARION_JWT_SECRET")
    now = time.time()
    claims = {
        "sub": sub,
        "scope": scope,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": int(now),
        "exp": int(now + ttl_s),
    }
    return jwt.encode(claims, settings.jwt_secret, algorithm="HS256")
