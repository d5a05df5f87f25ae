import asyncio

import pytest

from clarion.operating.doctor import environment
from clarion.operating.doctor.check import Result
from clarion.operating.doctor.environment import sane
from clarion.settings import Settings

SECRET = "s" * 32
SANE = Settings(jwt_secret=SECRET)


def test_sane_settings_are_ok() -> None:
    assert sane(SANE, {"CLARION_KAFKA": "k:9092", "CLARION_JWT_SECRET_FILE": "/run/x", "HOME": "/"}).result is Result.OK


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"replication": 1, "jwt_secret": SECRET}, "CLARION_REPLICATION"),
        ({"jwt_secret": SECRET, "jwks_url": "https://issuer"}, "CLARION_JWKS_URL"),
        ({"jwt_secret": SECRET, "token_life_s": 30 * 86_400}, "CLARION_TOKEN_LIFE_S"),
        ({"env": "dev", "kafka": "broker.example:9092"}, "CLARION_ENV"),
    ],
)
def test_an_odd_setting_is_a_warning_that_names_it(changed: dict[str, object], named: str) -> None:
    outcome = sane(Settings(**changed), {})  # pyright: ignore[reportArgumentType]
    assert outcome.result is Result.WARNING
    assert named in outcome.evidence
    assert outcome.cure


@pytest.mark.parametrize("secret", ["", "for-development-only-0123456789abcdef"])
def test_production_without_a_secret_of_its_own_fails(secret: str) -> None:
    outcome = sane(Settings(jwt_secret=secret), {})
    assert outcome.result is Result.FAILED
    assert "CLARION_JWT_SECRET" in outcome.evidence


def test_a_misspelt_variable_is_named() -> None:
    outcome = sane(SANE, {"CLARION_KAFAK": "k:9092", "CLARION_ORIGINS_": ""})
    assert outcome.result is Result.WARNING
    assert "CLARION_KAFAK " in outcome.evidence
    assert "CLARION_ORIGINS_ " in outcome.evidence


def test_variables_of_kubernetes_are_no_misspelt_ones() -> None:
    links = ["GATEWAY_SERVICE_HOST", "GATEWAY_SERVICE_PORT_HTTP", "GATEWAY_PORT", "GATEWAY_PORT_8081_TCP_ADDR"]
    assert sane(SANE, {f"CLARION_{name}": "tcp://10.0.0.1:8081" for name in links}).result is Result.OK


async def test_a_port_that_nobody_listens_at_is_told() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await environment._connect("127.0.0.1", port) == ""
    server.close()
    await server.wait_closed()
    assert await environment._connect("127.0.0.1", port)
