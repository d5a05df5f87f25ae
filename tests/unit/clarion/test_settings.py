"""Settings: what is missing or wrong is named; secrets are never shown."""

from pathlib import Path

import pytest

from clarion.settings import Settings, SettingsError

SECRET = "s" * 32


def test_production_needs_a_secret_or_a_key_set() -> None:
    with pytest.raises(SettingsError, match="CLARION_JWT_SECRET"):
        Settings.from_env({})
    assert Settings.from_env({"CLARION_JWKS_URL": "https://issuer.example/keys"}).env == "production"
    assert Settings.from_env({"CLARION_ENV": "dev"}).dev


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLARION_ENV", "staging"),
        ("CLARION_PORT", "70000"),
        ("CLARION_PARTITIONS_LANE", "0"),
        ("CLARION_PREFIX", "a b"),
        ("CLARION_LOG_LEVEL", "loud"),
        ("CLARION_JWT_SECRET", "short"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({"CLARION_JWT_SECRET": SECRET, name: value})


def test_a_secret_comes_from_a_file_and_is_not_in_the_repr(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    settings = Settings.from_env({"CLARION_JWT_SECRET_FILE": str(file), "CLARION_MONGODB": "mongodb://u:pw@h/"})
    assert settings.jwt_secret == SECRET
    assert SECRET not in repr(settings)
    assert "pw" not in repr(settings)
    with pytest.raises(SettingsError, match="CLARION_JWT_SECRET_FILE"):
        Settings.from_env({"CLARION_JWT_SECRET_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("name", ["CLARION_PORT", "CLARION_ADMIN_PORT"])
def test_variables_of_a_kubernetes_service_are_ignored_and_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A Service `clarion` made every command in its namespace die with "expected int"."""
    injected = {
        name: "tcp://10.96.0.1:8080",
        "CLARION_SERVICE_HOST": "10.96.0.1",
        "CLARION_SERVICE_PORT": "8080",
        "CLARION_PORT_8080_TCP": "tcp://10.96.0.1:8080",
        "CLARION_PORT_8080_TCP_PROTO": "tcp",
        "CLARION_KAFKA_PORT": "tcp://10.96.0.2:9092",
    }
    assert Settings.from_env({"CLARION_ENV": "dev", **injected}) == Settings(env="dev")
    (line,) = caplog.messages
    assert name in line
    assert "enableServiceLinks: false" in line
