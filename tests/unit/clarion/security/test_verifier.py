"""Tokens against the keys of their issuer: which key verifies which token, and what is worth asking the issuer for."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from clarion.security.tokens import KeysUnavailable, TokenError
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from tests.unit.clarion.security.fake_issuer import PRIVATE, jwk, serving


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


async def test_each_kind_of_key_has_its_algorithm_even_under_one_name() -> None:
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
async def test_the_only_key_is_taken_unless_both_sides_name_another(
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


async def test_a_replaced_key_without_a_name_is_fetched() -> None:
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
