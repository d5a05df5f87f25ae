"""Claims as strangers' issuers write them: what is read, and what is refused in words that say why."""

import json
import time
from typing import Any

import jwt
import pytest

from clarion.security.bearer import presented
from clarion.security.tokens import Claims, TokenError
from clarion.security.verifier import Verifier
from clarion.settings import Settings

SETTINGS = Settings(env="dev", jwt_secret="s" * 32)
REASON_BYTES = 123


def signed(text: str | None = None, **claims: Any) -> str:
    """A token of these claims, or of the JSON in `text` as it is: other libraries write what Python's does not."""
    good = {"sub": "bob", "iss": "clarion", "aud": "clarion", "exp": int(time.time()) + 60}
    payload = text if text is not None else json.dumps(good | claims)
    return jwt.PyJWS().encode(payload.encode(), "s" * 32, "HS256")


async def verified(token: str, **settings: Any) -> Claims:
    return await Verifier(Settings(env="dev", jwt_secret="s" * 32, **settings)).verify(token)


async def refusal(token: str) -> str:
    with pytest.raises(TokenError) as refused:
        await verified(token)
    return str(refused.value)


@pytest.mark.parametrize(
    "sub",
    [r"\ud800x", r"x\udfff", r"\ud83d", r"a\u0000b", r"a\nb", r"\u007f", r"\u0085", ".", "..", "", "x" * 129],
)
async def test_a_subject_that_cannot_be_written_everywhere_is_refused(sub: str) -> None:
    rest = f'"iss":"clarion","aud":"clarion","exp":{int(time.time()) + 60}'
    said = await refusal(signed(f'{{"sub":"{sub}",{rest}}}'))
    assert "`sub` must" in said
    assert len(said.encode()) <= REASON_BYTES, "a close frame tells it whole"


@pytest.mark.parametrize("sub", ["ann", "Ünal", "日本", "👩‍💻", "a b", "a/b", "...", "x" * 128, "https://id/é"])
async def test_other_subjects_are_taken_as_they_are(sub: str) -> None:
    assert (await verified(signed(sub=sub))).subject == sub


@pytest.mark.parametrize("claim", ["name", "jti", "azp"])
@pytest.mark.parametrize("value", [r'"\ud83d"', "1e999", "-1e999", "9" * 400, "NaN", '["\\ud800"]'])
async def test_what_stands_in_other_claims_is_no_matter(claim: str, value: str) -> None:
    rest = f'"sub":"bob","iss":"clarion","aud":"clarion","exp":{int(time.time()) + 60}'
    assert (await verified(signed(f'{{"{claim}":{value},{rest}}}'))).subject == "bob"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 30, "9" * 400, "9" * 5_000, "NaN", "-1", "1e308", '"x"'])
async def test_a_time_that_no_float_or_calendar_holds_is_a_refusal(name: str, number: str) -> None:
    good = {"sub": '"bob"', "iss": '"clarion"', "aud": '"clarion"', "exp": str(int(time.time()) + 60)}
    text = ",".join(f'"{key}":{value}' for key, value in (good | {name: number}).items())
    said = await refusal(signed(f"{{{text}}}"))
    assert said.startswith("the token was refused")
    assert said.isascii()


@pytest.mark.parametrize("name", ["iss", "aud", "scope", "scp"])
@pytest.mark.parametrize("value", [r'"\ud800"', "1", "{}", r'["\ud800"]', "[1]", "null"])
async def test_odd_values_of_claims_are_refused_or_grant_nothing(name: str, value: str) -> None:
    good = {"sub": '"bob"', "iss": '"clarion"', "aud": '"clarion"', "exp": str(int(time.time()) + 60)}
    text = ",".join(f'"{key}":{found}' for key, found in (good | {name: value}).items())
    token = signed(f"{{{text}}}")
    if name.startswith("s") and value in ("null", r'["\ud800"]', r'"\ud800"'):
        assert not (await verified(token)).may("subscribe")
    else:
        assert (await refusal(token)).isascii()


@pytest.mark.parametrize("text", ["[]", "1", "", "null", "[" * 3_000, '{"sub":"bob"}', '{"a":' * 1_000])
async def test_claims_that_are_none_are_refused(text: str) -> None:
    assert (await refusal(signed(text))).startswith("the token was refused")


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "publish subscribe"},
        {"scope": ["publish", "subscribe"]},
        {"scp": "publish subscribe"},
        {"scp": ["publish", "subscribe"]},
        {"scp": ["subscribe"], "scope": "publish"},
        {"scp": ["publish subscribe"], "scope": None},
    ],
)
async def test_scopes_are_read_wherever_issuers_write_them(claims: dict[str, Any]) -> None:
    found = await verified(signed(**claims))
    assert found.scopes == {"publish", "subscribe"}


async def test_an_audience_may_be_one_of_many() -> None:
    assert (await verified(signed(aud=["other", "clarion"]))).subject == "bob"
    for others in (["other"], [], "clarion2", ["clar", "ion"]):
        assert "`aud`" in await refusal(signed(aud=others))


async def test_clocks_may_differ_by_the_leeway_and_refusals_say_so() -> None:
    now = time.time()
    assert (await verified(signed(iat=now + 50, nbf=now + 50, exp=now + 500))).subject == "bob"
    for claim in ("iat", "nbf"):
        said = await refusal(signed(exp=now + 500, **dict[str, Any]({claim: now + 90})))
        assert "clock is 90 s ahead" in said or "clock is 89 s ahead" in said
        assert "CLARION_TOKEN_LEEWAY_S" in said
        assert f"`{claim}`" in said
    assert (await verified(signed(exp=now - 50))).expires == pytest.approx(now + 10), "and not at once"
    said = await refusal(signed(exp=now - 70))
    assert "expired 70 s ago" in said
    assert "clock" in said
    with pytest.raises(TokenError, match="clock"):
        await verified(signed(iat=now + 50), token_leeway_s=5)
    assert (await verified(signed(iat=now + 250), token_leeway_s=300)).issued == now + 250


@pytest.mark.parametrize("header", ["bearer", "Bearer", "BEARER"])
async def test_what_is_no_ascii_is_no_token(header: str) -> None:
    token = presented(f"{header} {signed()}\ud800", (), "")
    assert "not a JWT" in await refusal(token)
    assert "not a JWT" in await refusal("é" * 10)
