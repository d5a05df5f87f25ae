"""An issuer's public keys (JWKS, RFC 7517): fetched when one is needed, and kept by `kid`, up to a limit.

An issuer that does not answer is asked again with backoff, and its keys stay good meanwhile, so that its outage locks
nobody out. A `kid` that it does not have is remembered, too, and all unknown ones together cause few fetches, since
anybody may send tokens with any `kid`.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard, cast

import httpx2
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from clarion.contracts.limits import DAY_S, KIB
from clarion.resilience.backoff import Backoff
from clarion.security.tokens import KeysUnavailable

log = structlog.get_logger()

# the one algorithm for each kind of key (RFC 7518, RFC 8037), so that no key is ever used with another one
_ALGORITHM_OF: Final = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
ALGORITHMS: Final = tuple(_ALGORITHM_OF.values())
FRESH_S: Final = 300.0  # after this, keys are fetched again
STALE_S: Final = float(DAY_S)  # after this, the keys of an issuer that does not answer are not used any more
UNKNOWN_S: Final = 60.0  # how long a `kid` that is not there is remembered
ASKED_EVERY_S: Final = 10.0  # how often a `kid` that is not there may cause a fetch
FETCH_S: Final = 5.0
_RETRY: Final = Backoff(base_s=1.0, cap_s=60.0)
_SET_BYTES: Final = 256 * KIB
_KEYS: Final = 100
_UNKNOWN: Final = 1_000
_KEY_BITS: Final = 2048  # NIST SP 800-131A

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
Name = tuple[str, str]  # `kid` (empty for none) and algorithm, as keys of two kinds may share a `kid` (RFC 7517, 4.5)


class UnknownKey(Exception):
    """The issuer has no such key."""


class KeySet:
    """The keys of the issuer whose key set is at `url`: at most 100, and 1,000 that are known not to be there.

    `now` is the clock, in monotonic seconds.
    """

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        self._url: Final = url
        self._now: Final = now
        self._keys: dict[Name, PublicKey] = {}
        self._unknown: Final[OrderedDict[Name, float]] = OrderedDict()  # until when each is remembered
        self._fetched_at = float("-inf")
        self._ask_at = float("-inf")  # the issuer is not asked before
        self._failures = 0
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str, algorithm: str) -> PublicKey:
        """Return the key with this `kid`, which is empty when a token names none, fetching the key set if needed.

        Raise `UnknownKey` when the issuer has no such key, or `KeysUnavailable` when that cannot be told now.
        """
        now, name = self._now(), (kid, algorithm)
        age_s = now - self._fetched_at
        if (found := chosen(self._keys, name)) and age_s < STALE_S:
            if age_s >= FRESH_S and now >= self._ask_at:
                self._fetch()
            return found
        if now < self._unknown.get(name, 0.0):
            raise UnknownKey
        if self._fetching is None and now < self._ask_at:
            raise KeysUnavailable("the issuer's key set was asked for a moment ago: try again later")
        await asyncio.shield(self._fetch())
        if self._now() - self._fetched_at >= FRESH_S:
            raise KeysUnavailable("the issuer's key set cannot be fetched: try again later")
        if found := chosen(self._keys, name):
            return found
        self._note_unknown(name)
        raise UnknownKey

    async def newer(self, kid: str, algorithm: str, than: PublicKey) -> PublicKey:
        """Return the key that has replaced one with which a token is not signed, or the same key if there is none."""
        name = (kid, algorithm)
        if name in self._keys and kid:
            return than  # an issuer that names its keys gives a new key a new name
        if self._fetching is not None or self._now() >= self._ask_at:
            await asyncio.shield(self._fetch())
        return chosen(self._keys, name) or than

    def _note_unknown(self, name: Name) -> None:
        self._unknown[name] = self._now() + UNKNOWN_S
        while len(self._unknown) > _UNKNOWN:
            self._unknown.popitem(last=False)

    def _fetch(self) -> "asyncio.Task[None]":
        """Return the one fetch that is under way, for all that wait for it, and begin it if there is none."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._refresh(), name="key set")
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, _: "asyncio.Task[None]") -> None:
        self._fetching = None

    async def _refresh(self) -> None:
        try:
            self._keys = usable(await _read(self._url))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            wait_s = 1.0 + _RETRY.delay(self._failures)
            self._failures += 1
            self._ask_at = self._now() + wait_s
            log.warning(
                "the key set of CLARION_JWKS_URL could not be fetched", error=repr(error), again_in_s=round(wait_s, 1)
            )
            return
        self._failures = 0
        self._fetched_at = self._now()
        self._ask_at = self._fetched_at + ASKED_EVERY_S
        self._unknown.clear()
        log.info("the key set of CLARION_JWKS_URL was fetched", keys=len(self._keys))


def usable(document: bytes) -> dict[Name, PublicKey]:
    """Return the keys in a set that may sign tokens, without the others. Raise ValueError if it is no key set."""
    try:
        found: Any = json.loads(document)
    except RecursionError as error:
        raise ValueError("the key set is nested too deeply") from error
    entries: Any = cast("dict[str, Any]", found).get("keys") if isinstance(found, dict) else None
    if type(entries) is not list:
        raise ValueError("the key set is not an object with a list of `keys`")
    objects = [cast("dict[str, Any]", entry) for entry in cast("list[Any]", entries)[:_KEYS] if isinstance(entry, dict)]
    return {name: key for entry in objects if (name := _name(entry)) and (key := _public_key(entry, name))}


def chosen(keys: Mapping[Name, PublicKey], name: Name) -> PublicKey | None:
    """Return the key of a name. The only key of a set also matches if it has no `kid`, or the token names none."""
    if found := keys.get(name):
        return found
    if len(keys) != 1:
        return None
    (kid, algorithm), key = next(iter(keys.items()))
    return key if algorithm == name[1] and not (kid and name[0]) else None


def _name(entry: dict[str, Any]) -> Name | None:
    kid, kind = entry.get("kid", ""), entry.get("kty")
    algorithm = _ALGORITHM_OF.get(kind) if isinstance(kind, str) else None
    fits = entry.get("use", "sig") == "sig" and entry.get("alg", algorithm) == algorithm
    return (kid, algorithm) if algorithm and fits and isinstance(kid, str) else None


def _public_key(entry: dict[str, Any], name: Name) -> PublicKey | None:
    try:
        key = jwt.PyJWK(entry, name[1]).key
    except Exception as error:  # noqa: BLE001 - whatever the library raises for one key, the others stay good
        log.warning(
            "a key of the key set cannot be read and is left out", algorithm=name[1], error=type(error).__name__
        )
        return None
    return key if _is_strong(key) else None


def _is_strong(key: object) -> TypeGuard[PublicKey]:
    """Return whether a key is public, long enough, and on a curve of ES256 or EdDSA."""
    return (
        (isinstance(key, RSAPublicKey) and key.key_size >= _KEY_BITS)
        or (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1))
        or isinstance(key, Ed25519PublicKey)
    )


async def _read(url: str) -> bytes:
    """Fetch a key set. Raise httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, or ValueError if it is too large."""
    body = bytearray()
    async with asyncio.timeout(FETCH_S), httpx2.AsyncClient(timeout=FETCH_S) as http, http.stream("GET", url) as answer:
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _SET_BYTES:
                raise ValueError(f"the key set may have at most {_SET_BYTES} bytes")
    return bytes(body)
