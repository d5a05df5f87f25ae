"""Verifies tokens: their signature, and what they claim."""

import time
from typing import Any, Final

import jwt

from clarion.security.claims import Expected, issuer_of
from clarion.security.key_sets import ALGORITHMS, KeySet, UnknownKey
from clarion.security.tokens import Claims, TokenError
from clarion.settings import Settings

_MAX_TOKEN_CHARS: Final = 8 * 1024
_MAX_KID_CHARS: Final = 256
_SHARED: Final = "HS256"
_jws: Final = jwt.PyJWS([_SHARED, *ALGORITHMS])


class Verifier:
    """Checks algorithm, signature, issuer, audience, subject and times. A process has one, which caches keys.

    `lead_s` is by how much the issuer's clock was seen ahead of this one's, at most `leeway_s`.
    """

    def __init__(self, settings: Settings) -> None:
        self.leeway_s: Final = settings.token_leeway_s
        self.lead_s = 0.0
        self._expected = Expected(
            settings.jwt_issuer, settings.jwt_audience, settings.token_life_s, settings.token_leeway_s
        )
        self._secret = settings.jwt_secret
        self._keys = KeySet(settings.jwks_url) if settings.jwks_url else None

    async def verify(self, token: str) -> Claims:
        """Return the claims of a good token. Raise `TokenError`, or `KeysUnavailable` when that cannot be told now."""
        if not token or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
            raise TokenError("the token is missing, too long, or not a JWT")
        if self._keys is None:
            payload = _payload(token, self._secret, _SHARED)
        else:
            payload = await self._signed_by_issuer(token, self._keys)
        now = time.time()
        claims = self._expected.claims(payload, now)
        self.lead_s = max(self.lead_s, claims.issued - now)
        return claims

    async def _signed_by_issuer(self, token: str, keys: KeySet) -> bytes:
        kid, algorithm = self._claimed_key(token)
        try:
            key = await keys.key(kid, algorithm)
            try:
                return _payload(token, key, algorithm)
            except _BadSignature:
                # a key without a `kid` may have been replaced by another one without a `kid`
                return _payload(token, await keys.newer(kid, algorithm, key), algorithm)
        except UnknownKey:
            raise TokenError("the token was refused: its issuer's key set has no key for it") from None

    def _claimed_key(self, token: str) -> tuple[str, str]:
        """Return the `kid` (empty for none) and the algorithm with which a token claims to be signed.

        Raise `TokenError` for a token that cannot be good, so that only others cause a fetch of the keys.
        """
        unverified = _decoded(token)
        header: dict[str, Any] = unverified["header"]
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS:
            raise TokenError(f"the token was refused: it must be signed with one of {', '.join(ALGORITHMS)}")
        if issuer_of(unverified["payload"]) != self._expected.issuer:
            raise TokenError("the token was refused: its `iss` is not the issuer in CLARION_JWT_ISSUER")
        if kid is not None and not 0 < len(kid) <= _MAX_KID_CHARS:  # PyJWT has seen that it is text
            raise TokenError(f"the token was refused: its `kid` must have 1 to {_MAX_KID_CHARS} characters")
        return kid or "", algorithm


class _BadSignature(TokenError):
    """The token is signed with another key."""


def _payload(token: str, key: Any, algorithm: str) -> bytes:
    return _decoded(token, key=key, algorithms=[algorithm])["payload"]


def _decoded(token: str, **check: Any) -> dict[str, Any]:
    """Return header and payload; without a `check`, nothing of them is verified. Raise `TokenError`."""
    try:
        return _jws.decode_complete(token, options=None if check else {"verify_signature": False}, **check)
    except jwt.InvalidSignatureError as error:
        raise _BadSignature("the token was refused: its signature does not match the key") from error
    except jwt.PyJWTError as error:
        raise TokenError(f"the token was refused: {error}") from error
