"""An issuer's keys over real HTTP, on a clock of the test's own."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from clarion.security import key_sets
from clarion.security.key_sets import KeySet, UnknownKey, usable
from clarion.security.tokens import KeysUnavailable
from tests.unit.clarion.security.fake_issuer import PRIVATE, Clock, jwk, serving


async def settled(keys: KeySet) -> None:
    """Wait for a refresh in the background."""
    if keys._fetching is not None:
        await keys._fetching


async def test_a_key_is_fetched_once_however_many_ask_and_kept() -> None:
    async with serving() as issuer:
        issuer.slow_s = 0.05
        keys = KeySet(issuer.url, Clock())
        found = await asyncio.gather(*(keys.key("one", "RS256") for _ in range(50)))
        assert all(key == PRIVATE.public_key() for key in found)
        await keys.key("one", "RS256")
        assert issuer.asked == 1


async def test_a_refresh_holds_nobody_up_and_drops_withdrawn_keys() -> None:
    async with serving() as issuer:
        clock = Clock()
        keys = KeySet(issuer.url, clock)
        await keys.key("one", "RS256")
        issuer.keys = [jwk("two")]
        clock.now += key_sets.FRESH_S
        await keys.key("one", "RS256")  # not held up by the refresh
        await settled(keys)
        assert issuer.asked == 2
        await keys.key("two", "RS256")
        clock.now += key_sets.ASKED_EVERY_S
        with pytest.raises(UnknownKey):
            await keys.key("one", "RS256")


async def test_unknown_keys_are_remembered_and_cause_few_fetches() -> None:
    async with serving() as issuer:
        clock = Clock()
        keys = KeySet(issuer.url, clock)
        with pytest.raises(UnknownKey):
            await keys.key("forged", "RS256")
        for n in range(100):
            with pytest.raises(UnknownKey if n == 0 else KeysUnavailable):
                await keys.key("forged" if n == 0 else f"forged-{n}", "RS256")
        assert issuer.asked == 1
        await keys.key("one", "RS256")
        clock.now += key_sets.ASKED_EVERY_S
        issuer.keys.append(jwk("new"))
        await keys.key("new", "RS256")
        assert issuer.asked == 2
        for n in range(2 * key_sets._UNKNOWN):
            keys._note_unknown((str(n), "RS256"))
        assert len(keys._unknown) == key_sets._UNKNOWN


async def test_keys_stay_good_for_a_day_while_their_issuer_is_away() -> None:
    async with serving() as issuer:
        clock = Clock()
        keys = KeySet(issuer.url, clock)
        issuer.status = 500
        for _ in range(10):
            with pytest.raises(KeysUnavailable):
                await keys.key("one", "RS256")
        assert issuer.asked == 1
        clock.now += 2
        issuer.status = 200
        await keys.key("one", "RS256")
        issuer.status = 503
        asked = issuer.asked
        for _ in range(600):
            clock.now += 1
            await keys.key("one", "RS256")
            await settled(keys)
        assert asked + 5 <= issuer.asked <= asked + 60
        clock.now += key_sets.STALE_S
        with pytest.raises(KeysUnavailable):
            await keys.key("one", "RS256")


async def test_a_set_too_large_or_out_of_reach_is_unavailable() -> None:
    async with serving() as issuer:
        issuer.keys = ["x" * 300_000]
        with pytest.raises(KeysUnavailable):
            await KeySet(issuer.url, Clock()).key("one", "RS256")
    with pytest.raises(KeysUnavailable):
        await KeySet("http://127.0.0.1:1/keys", Clock()).key("one", "RS256")


def test_only_keys_that_may_sign_are_used_and_a_bounded_number() -> None:
    weak = rsa.generate_private_key(65_537, 1024)
    entries = [
        jwk("good"),
        jwk("for encryption", use="enc"),
        jwk("of another algorithm", alg="RS512"),
        jwk("weak", weak),
        jwk("broken", n="!"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {**jwk("without"), "kid": None},
    ]
    assert list(usable(json.dumps({"keys": entries}).encode())) == [("good", "RS256")]
    assert len(usable(json.dumps({"keys": [jwk(str(n)) for n in range(150)]}).encode())) == 100
    for document in (b"", b"{}", b"[]", b"1", b'{"keys":{}}', b'{"keys":"x"}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever reads it says so in its own words
            usable(document)


def test_a_key_that_cannot_be_read_spoils_no_other() -> None:
    good = json.dumps(jwk("good"))
    for broken in (
        "1",
        '"x"',
        "null",
        "[]",
        "{}",
        '{"kty":1}',
        '{"kty":["RSA"],"kid":"b"}',
        '{"kty":"RSA","kid":"b"}',
        '{"kty":"RSA","kid":"b","n":1,"e":1}',
        '{"kty":"RSA","kid":"b","n":"AQAB","e":"AA"}',
        '{"kty":"RSA","kid":"\\ud800","n":"\\ud800","e":"\\ud800"}',
        '{"kty":"RSA","kid":1e999,"n":"!","e":"AQAB"}',
        '{"kty":"EC","kid":"b","crv":"P-521","x":"AA","y":"AA"}',
        '{"kty":"EC","kid":"b","crv":["P-256"],"x":"AA","y":"AA"}',
        '{"kty":"OKP","kid":"b","crv":"Ed25519","x":"AA"}',
        '{"kty":"OKP","kid":"b","crv":"X25519","x":"' + 43 * "A" + '"}',
        '{"kty":"OKP","kid":"b","crv":"Ed25519","x":' + "9" * 400 + "}",
    ):
        assert list(usable(f'{{"keys":[{broken},{good}]}}'.encode())) == [("good", "RS256")], broken
