"""Whether a token proves its subject."""

import time
from functools import lru_cache
from typing import Any, Final

import jwt

from clarion.security import key_sets
from clarion.security.key_sets import KeySet, UnknownKey
from clarion.security.tokens import Claims, TokenError
from clarion.settings import Settings

_LEEWAY_S: Final = 5
_MAX_TOKEN_CHARS: Final = 8 * 1024
_MAX_KID_CHARS: Final = 256


class Verifier:
    """Checks algorithm, issuer, signature, audience and times. One a process; an issuer's keys are cached."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._secret = settings.jwt_secret
        self._longest_life_s = settings.token_life_s
        self._keys = KeySet(settings.jwks_url) if settings.jwks_url else None

    async def verify(self, token: str) -> Claims:
        """Raises `TokenError`, or `tokens.KeysUnavailable`."""
        if not token or len(token) > _MAX_TOKEN_CHARS:
            raise TokenError("token missing or too long")
        if self._keys is None:
            return self._decode(token, self._secret, "HS256")
        kid = self._kid(token)
        try:
            return self._decode(token, await self._keys.key(kid), key_sets.ALGORITHM)
        except UnknownKey:
            raise TokenError("token refused: its issuer has no such key") from None

    def _kid(self, token: str) -> str:
        """Which key it claims to be signed with; only a token that could be good may make us ask the issuer."""
        try:
            unverified = jwt.decode_complete(token, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise TokenError(f"token refused: {error}") from error
        header, claims = unverified["header"], unverified["payload"]
        kid = header.get("kid")
        if header.get("alg") != key_sets.ALGORITHM or claims.get("iss") != self._issuer:
            raise TokenError("token refused: of another algorithm or issuer")
        if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_CHARS:
            raise TokenError("token refused: it names no key")
        return kid

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
        # of a token that does not say when it was issued, the earliest moment is taken
        expires, life_s = float(claims["exp"]), self._longest_life_s
        issued = float(claims.get("iat", expires - life_s))
        if expires - issued > life_s or issued > time.time() + _LEEWAY_S:
            raise TokenError(f"token refused: it lives for longer than {life_s} s")
        return Claims(subject, _scopes(scope), expires, issued)


@lru_cache(256)
def _scopes(scope: str) -> frozenset[str]:
    """One set for all whose tokens say the same: a gateway keeps what it verified."""
    return frozenset(scope.split())
