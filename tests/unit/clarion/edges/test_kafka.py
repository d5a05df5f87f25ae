"""Settings of Kafka's security that do not go together are refused, with the setting, its fault and the cure."""

from pathlib import Path

import pytest

from clarion.settings import Settings, SettingsError
from tests.certificates import Authority

PASSWORD = "never-shown"


def read(**changed: str) -> Settings:
    env = {f"CLARION_KAFKA_{name.upper()}": value for name, value in changed.items()}
    return Settings.from_env({"CLARION_ENV": "dev", **env})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"protocol": "TLS"}, "CLARION_KAFKA_PROTOCOL: Invalid enum value"),
        ({"mechanism": "GSSAPI"}, "CLARION_KAFKA_MECHANISM: Invalid enum value"),
        ({"ca_file": "ca"}, "CLARION_KAFKA_PROTOCOL=PLAINTEXT does not encrypt.* set it to SSL or SASL_SSL"),
        (
            {"protocol": "SASL_PLAINTEXT", "user": "a", "password": PASSWORD, "ca_file": "ca"},
            "SASL_PLAINTEXT does not encrypt.* set it to SASL_SSL",
        ),
        ({"user": "a"}, "CLARION_KAFKA_PROTOCOL=PLAINTEXT has no login.* set it to SASL_SSL"),
        ({"protocol": "SSL", "password": PASSWORD}, "CLARION_KAFKA_PROTOCOL=SSL has no login.* set it to SASL_SSL"),
        ({"protocol": "SASL_SSL", "password": PASSWORD}, "CLARION_KAFKA_USER is missing.* name the user"),
        ({"protocol": "SASL_SSL", "user": "a"}, "CLARION_KAFKA_PASSWORD is empty: .*CLARION_KAFKA_PASSWORD_FILE"),
        ({"protocol": "SSL", "ca_file": "/none"}, "CLARION_KAFKA_CA_FILE=/none cannot be read .*: name a PEM file"),
        ({"protocol": "SASL_SSL", "password_file": "/none"}, "CLARION_KAFKA_PASSWORD_FILE=/none cannot be read"),
    ],
)
def test_what_does_not_go_together_is_refused_at_start(changed: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        read(**changed)
    assert PASSWORD not in str(caught.value)


def test_a_password_comes_from_its_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    settings = read(protocol="SASL_PLAINTEXT", user="calls", password_file=str(file))
    security = settings.kafka_security
    assert security.secret.read() == PASSWORD
    assert PASSWORD not in f"{settings!r} {security!r} {security.secret!r}"


def test_files_of_mutual_tls_are_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("client")
    settings = read(protocol="SSL", ca_file=str(authority.ca), cert_file=str(client.cert), key_file=str(client.key))
    assert settings.kafka_security.has_tls
    assert not settings.kafka_security.has_user
