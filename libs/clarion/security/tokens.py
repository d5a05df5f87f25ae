"""Tokens: JWT (RFC 7519), signed by a shared secret (HS256) or by a key of a key set (RS256, JWKS)."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt import PyJWKClient

from clarion.settings import Settings

PUBLISH: Final = "publish"
PUBLISH_ANY: Final = "publish:any"
SUBSCRIBE: Final = "subscribe"
OPERATE: Final = "operate"

_LEEWAY_S: Final = 5
_MAX_TOKEN_CHARS: Final = 8 * 1024
_JWKS_TIMEOUT_S: Final = 5
_JWKS_LIFESPAN_S: Final = 300


class TokenError(Exception):
    """A token that proves nothing; the message is safe to show and never holds the token."""


class KeysUnavailable(Exception):
    """The key set cannot be fetched, so nothing can be said of a token: try again later."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires` is seconds since the epoch."""

    subject: str
    scopes: frozenset[str]
    expires: float

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class Verifier:
    """Checks signature, algorithm, issuer, audience and expiry. One a process; the key set is cached."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._secret = settings.jwt_secret
        self._keys = (
            PyJWKClient(settings.jwks_url, cache_jwk_set=True, lifespan=_JWKS_LIFESPAN_S, timeout=_JWKS_TIMEOUT_S)
            if settings.jwks_url
            else None
        )

    async def verify(self, token: str) -> Claims:
        """Raises `TokenError`, or `KeysUnavailable`."""
        if not token or len(token) > _MAX_TOKEN_CHARS:
            raise TokenError("token missing or too long")
        if self._keys is not None:
            # PyJWKClient may fetch over the network
            return await asyncio.to_thread(self._verify_by_key_set, self._keys, token)
        return self._decode(token, self._secret, "HS256")

    def _verify_by_key_set(self, keys: PyJWKClient, token: str) -> Claims:
        try:
            key = keys.get_signing_key_from_jwt(token).key
        except jwt.PyJWKClientConnectionError as error:
            raise KeysUnavailable("the key set cannot be fetched") from error
        except jwt.PyJWTError as error:
            raise TokenError(f"no key for this token: {type(error).__name__}") from error
        return self._decode(token, key, "RS256")

    def _decode(self, token: str, key: Any, algorithm: str) -> Claims:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("token expired") from error
        except jwt.PyJWTError as error:
            raise TokenError(f"token refused: {error}") from error
        subject, scope = claims["sub"], claims.get("scope", "")
        if not isinstance(subject, str) or not 0 < len(subject) <= 128 or not isinstance(scope, str):
            raise TokenError("token refused: sub must be 1 to 128 characters and scope a string")
        return Claims(subject, frozenset(scope.split()), float(claims["exp"]))


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
