"""An issuer's keys over real HTTP, on a clock of the test's own."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from clarion.security import key_sets
from clarion.security.key_sets import KeySet, UnknownKey, usable
from clarion.security.tokens import KeysUnavailable, TokenError
from clarion.security.verifier import Verifier
from clarion.settings import Settings

PRIVATE = rsa.generate_private_key(65_537, 2048)


def jwk(kid: str, key: rsa.RSAPrivateKey = PRIVATE, **fields: Any) -> dict[str, Any]:
    return json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"} | fields


class Issuer:
    """Serves `keys`, or `status`; counts what it is asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [jwk("one")]
        self.status = 200
        self.asked = 0
        self.slow_s = 0.0
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await asyncio.sleep(self.slow_s)
        body = json.dumps({"keys": self.keys}).encode()
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving() -> AsyncGenerator[Issuer]:
    issuer = Issuer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield issuer


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


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


async def test_an_old_set_is_refreshed_while_its_keys_stay_good_and_a_withdrawn_one_is_gone() -> None:
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


async def test_unknown_keys_are_remembered_and_together_cause_few_fetches() -> None:
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


async def test_an_issuer_that_is_away_is_asked_again_with_backoff_and_its_keys_stay_good_for_a_day() -> None:
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


async def test_a_set_that_is_none_or_too_large_is_a_failure_as_any_other() -> None:
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


def signed_with_the_public_key() -> str:
    """As if it were a secret: PyJWT would not sign that, an attacker does."""
    public = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}
    parts = ({"alg": "HS256", "kid": "one"}, claims)
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(public, text, "sha256")).rstrip(b"=")
    return (text + b"." + signature).decode()


async def test_tokens_are_verified_by_the_issuers_key_and_nothing_else() -> None:
    def signed(key: Any = PRIVATE, algorithm: str = "RS256", kid: Any = "one", **claims: Any) -> str:
        good = {"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60, "scope": "subscribe"}
        return jwt.encode(good | claims, key, algorithm, headers={"kid": kid})

    async with serving() as issuer:
        verifier = Verifier(Settings(env="dev", jwks_url=issuer.url))
        for worthless in (
            signed("s" * 32, "HS256"),  # the secret of nobody
            signed_with_the_public_key(),
            signed("", "none"),
            signed(algorithm="RS512"),
            signed(iss="elsewhere"),
            signed(kid=""),
            signed(kid="x" * 300),
            "x",
        ):
            with pytest.raises(TokenError):
                await verifier.verify(worthless)
        assert issuer.asked == 0  # none of these is worth asking the issuer
        claims = await verifier.verify(signed())
        assert claims.subject == "bob"
        with pytest.raises(TokenError):
            await verifier.verify(signed(rsa.generate_private_key(65_537, 2048)))
        with pytest.raises(TokenError):
            await verifier.verify(signed(aud="elsewhere"))
        assert issuer.asked == 1


CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def signed(key: Any, algorithm: str, kid: str | None = None) -> str:
    claims = {"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


async def test_each_kind_of_key_signs_with_its_own_algorithm_even_under_one_name() -> None:
    async with serving() as issuer:
        issuer.keys = [
            jwk("one"),
            json.loads(ECAlgorithm.to_jwk(CURVE.public_key())) | {"kid": "one", "alg": "ES256"},
            json.loads(OKPAlgorithm.to_jwk(EDWARDS.public_key())) | {"kid": "one"},
        ]
        verify = Verifier(Settings(env="dev", jwks_url=issuer.url)).verify
        for key, algorithm in ((PRIVATE, "RS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA")):
            assert (await verify(signed(key, algorithm, "one"))).subject == "bob"
        for another, algorithm in ((ec.generate_private_key(ec.SECP256R1()), "ES256"), (PRIVATE, "PS256")):
            with pytest.raises(TokenError):
                await verify(signed(another, algorithm, "one"))
        with pytest.raises(KeysUnavailable):  # which of three it is, nobody says; the set was asked for just now
            await verify(signed(PRIVATE, "RS256"))
        assert issuer.asked == 1


@pytest.mark.parametrize(("kid_of_key", "kid_of_token"), [(None, None), (None, "x"), ("x", None), ("x", "x")])
async def test_of_a_set_of_one_key_it_is_that_one_unless_both_name_another(
    kid_of_key: str | None, kid_of_token: str | None
) -> None:
    async with serving() as issuer:
        only = jwk("x") | {"kid": kid_of_key}
        issuer.keys = [{name: value for name, value in only.items() if value is not None}]
        verify = Verifier(Settings(env="dev", jwks_url=issuer.url)).verify
        assert (await verify(signed(PRIVATE, "RS256", kid_of_token))).subject == "bob"
        with pytest.raises(KeysUnavailable):  # for what is not in the set it was asked just now
            await verify(signed(CURVE, "ES256", kid_of_token))
        if kid_of_key:
            with pytest.raises(KeysUnavailable):  # it may be a new one: the set was fetched just now
                await verify(signed(PRIVATE, "RS256", "another"))


async def test_a_key_without_a_name_that_was_replaced_is_fetched_when_the_old_one_does_not_fit() -> None:
    async with serving() as issuer:
        issuer.keys = [{name: value for name, value in jwk("x").items() if name != "kid"}]
        verifier = Verifier(Settings(env="dev", jwks_url=issuer.url))
        await verifier.verify(signed(PRIVATE, "RS256"))
        fresh = rsa.generate_private_key(65_537, 2048)
        issuer.keys = [{name: value for name, value in jwk("x", fresh).items() if name != "kid"}]
        with pytest.raises(TokenError):
            await verifier.verify(signed(fresh, "RS256"))  # asked for just now: a forger must not make us ask again
        assert verifier._keys is not None
        verifier._keys._ask_at = 0.0
        assert (await verifier.verify(signed(fresh, "RS256"))).subject == "bob"
        assert issuer.asked == 2
