"""No secret gets through to a line, and no line is long."""

import pytest

from clarion.security.tokens import mint
from clarion.settings import Settings
from clarion.telemetry.log_text import MASK, TEXT_CHARS, clean

TOKEN = mint(Settings(env="dev", jwt_secret="s" * 32), sub="ann", scope="subscribe")


@pytest.mark.parametrize(
    "text",
    [
        f"the token {TOKEN} is refused",
        f"GET /v1/ws?access_token={TOKEN}&x=1",
        f"Sec-WebSocket-Protocol: clarion.v1, bearer.{TOKEN}",
        "headers: {'authorization': 'Bearer opaque-0123456789'}",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "cannot connect to mongodb://clarion:opaque-0123456789@db.example/?replicaSet=rs0",
        "/v1/stream?access_token=opaque-0123456789",
    ],
)
def test_secrets_are_masked_wherever_they_stand(text: str) -> None:
    found = clean(text)
    assert MASK in found
    assert not any(secret in found for secret in (TOKEN[10:], "opaque-0123456789", "dXNlcjpwYXNzd29yZA"))


@pytest.mark.parametrize(
    "text",
    [
        "a server did not answer or failed: trying again",
        "KafkaConnectionError: Unable to bootstrap from [('127.0.0.1', 9092)]",
        "https://issuer.example/keys?page=1",
        "bearer of news, basic facts",
        "0195f3a1-6d2c-7c4e-9a51-1f0f9f6c2b7d",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert clean(text) == text


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    found = clean("begin" + "x" * 100_000 + "end")
    assert found.startswith("begin")
    assert found.endswith("end")
    assert len(found) < TEXT_CHARS + 100
