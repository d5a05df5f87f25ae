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
    """A token that proves nothing; the message is safe to show and never holds the token."""


class KeysUnavailable(Exception):
    """The key set cannot be fetched now, so nothing can be said of a token: try again later."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires` and `issued` are seconds since the epoch."""

    subject: str
    scopes: frozenset[str]
    expires: float
    issued: float = 0.0

    def may(self, scope: str) -> bool:
        return scope in self.scopes


def mint(settings: Settings, *, sub: str, scope: str, ttl_s: float = 3600) -> str:
    """Make a token with the shared secret: for development, tests and the CLI.

    Raises `TokenError` without a secret.
    """
    if not settings.jwt_secret:
        raise TokenError("no CLARION_JWT_SECRET to sign with")
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
