"""Tokens: what proves a subject, and what does not."""

import time
from typing import Any

import jwt
import pytest

from clarion.security.tokens import TokenError, mint
from clarion.security.verifier import Verifier
from clarion.settings import Settings

SETTINGS = Settings(env="dev", jwt_secret="s" * 32)


def signed(**claims: Any) -> str:
    good = {"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}
    return jwt.encode({k: v for k, v in (good | claims).items() if v is not None}, "s" * 32, "HS256")


async def test_a_minted_token_is_verified_with_its_scopes() -> None:
    claims = await Verifier(SETTINGS).verify(mint(SETTINGS, sub="bob", scope="publish subscribe", ttl_s=60))
    assert claims.subject == "bob"
    assert claims.may("publish")
    assert not claims.may("publish:any")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "x" * 10_000,
        signed(exp=time.time() - 60),
        signed(exp=None),
        signed(iss="other"),
        signed(aud="other"),
        signed(sub=None),
        signed(sub=""),
        signed(sub="x" * 129),
        signed(scope={"publish": True}),
        jwt.encode({"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}, "o" * 32, "HS256"),
        jwt.encode({"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}, "", "none"),
        jwt.encode({"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": time.time() + 60}, "s" * 64, "HS512"),
    ],
)
async def test_a_bad_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(TokenError) as caught:
        await Verifier(SETTINGS).verify(token)
    assert len(token) < 2 or token not in str(caught.value)


async def test_a_token_has_a_longest_life_with_or_without_iat() -> None:
    now = time.time()
    verify = Verifier(Settings(env="dev", jwt_secret="s" * 32, token_life_s=600)).verify
    assert (await verify(signed(iat=now - 10, exp=now + 580))).issued == now - 10
    # the earliest moment at which it can have been issued
    assert (await verify(signed(exp=now + 500))).issued == pytest.approx(now - 100)
    for too_long in (signed(iat=now - 100, exp=now + 501), signed(exp=now + 700)):
        with pytest.raises(TokenError, match="longer than 600 s"):
            await verify(too_long)


def test_no_secret_no_token() -> None:
    with pytest.raises(TokenError, match="CLARION_JWT_SECRET"):
        mint(Settings(env="dev"), sub="bob", scope="")
