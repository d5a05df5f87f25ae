"""An issuer's public keys (JWKS, RFC 7517): fetched when one is asked for, kept by their `kid`, and bounded.

An issuer that does not answer is asked again with backoff, and its keys stay good meanwhile: its outage must not lock
everybody out. A `kid` it does not know is remembered too, and unknown ones together cause few fetches: anybody may send
us tokens with a `kid` of their own.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import httpx
import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from clarion.contracts.limits import DAY_S, KIB
from clarion.resilience.backoff import Backoff
from clarion.security.tokens import KeysUnavailable

log = structlog.get_logger()

ALGORITHM: Final = "RS256"
FRESH_S: Final = 300.0
STALE_S: Final = float(DAY_S)  # beyond that the keys of an issuer that does not answer are good for nothing
UNKNOWN_S: Final = 60.0
ASKED_EVERY_S: Final = 10.0  # at most, for a `kid` that is not there
FETCH_S: Final = 5.0
_RETRY: Final = Backoff(base_s=1.0, cap_s=60.0)
_SET_BYTES: Final = 256 * KIB
_KEYS: Final = 100
_UNKNOWN: Final = 1_000
_KEY_BITS: Final = 2048  # NIST SP 800-131A


class UnknownKey(Exception):
    """The issuer has no such key."""


class KeySet:
    """The keys of one issuer, by their `kid`. At most 100 of them, and 1,000 that are known not to be there."""

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._url: Final = url
        self._now: Final = now
        self._keys: dict[str, RSAPublicKey] = {}
        self._unknown: Final[OrderedDict[str, float]] = OrderedDict()  # until when
        self._fetched_at = float("-inf")
        self._ask_at = float("-inf")  # not before
        self._failures = 0
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> RSAPublicKey:
        """Raises `UnknownKey`, or `KeysUnavailable`."""
        now = self._now()
        age_s = now - self._fetched_at
        if (found := self._keys.get(kid)) and age_s < STALE_S:
            if age_s >= FRESH_S and now >= self._ask_at:
                self._fetch()
            return found
        if now < self._unknown.get(kid, 0.0):
            raise UnknownKey
        if self._fetching is None and now < self._ask_at:
            raise KeysUnavailable("the key set was asked for just now")
        await asyncio.shield(self._fetch())
        if self._now() - self._fetched_at >= FRESH_S:
            raise KeysUnavailable("the key set cannot be fetched")
        if found := self._keys.get(kid):
            return found
        self._note_unknown(kid)
        raise UnknownKey

    def _note_unknown(self, kid: str) -> None:
        self._unknown[kid] = self._now() + UNKNOWN_S
        while len(self._unknown) > _UNKNOWN:
            self._unknown.popitem(last=False)

    def _fetch(self) -> "asyncio.Task[None]":
        """One fetch, however many wait for it."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._refresh(), name="key set")
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, _: "asyncio.Task[None]") -> None:
        self._fetching = None

    async def _refresh(self) -> None:
        try:
            self._keys = usable(await _read(self._url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, msgspec.DecodeError) as error:
            wait_s = 1.0 + _RETRY.delay(self._failures)
            self._failures += 1
            self._ask_at = self._now() + wait_s
            log.warning("key set not fetched", error=repr(error), again_in_s=round(wait_s, 1))
            return
        self._failures = 0
        self._fetched_at = self._now()
        self._ask_at = self._fetched_at + ASKED_EVERY_S
        self._unknown.clear()
        log.info("key set fetched", keys=len(self._keys))


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


def usable(document: bytes) -> dict[str, RSAPublicKey]:
    """The keys that may sign tokens; others in the set are left out. Raises msgspec.DecodeError when it is no set."""
    entries = msgspec.json.decode(document, type=_Set).keys[:_KEYS]
    return {str(entry["kid"]): key for entry in entries if (key := _public_key(entry))}


def _public_key(entry: dict[str, Any]) -> RSAPublicKey | None:
    fits = entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", ALGORITHM) == ALGORITHM
    if not fits or not isinstance(entry.get("kid"), str):
        return None
    try:
        key = jwt.PyJWK(entry, ALGORITHM).key
    except jwt.PyJWTError:
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= _KEY_BITS else None


async def _read(url: str) -> bytes:
    """Raises httpx.HTTPError, httpx.InvalidURL, TimeoutError, or ValueError for what is too large."""
    body = bytearray()
    async with asyncio.timeout(FETCH_S), httpx.AsyncClient(timeout=FETCH_S) as http, http.stream("GET", url) as answer:
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _SET_BYTES:
                raise ValueError(f"a key set has at most {_SET_BYTES} bytes")
    return bytes(body)
