"""MongoDB's connection string: what cannot be read is refused, and no part of it is quoted."""

from pathlib import Path

import pytest

from clarion.edges.mongodb import MongodbSecurity
from clarion.settings import Settings, SettingsError
from tests.certificates import Authority


def read(uri: str, **changed: str) -> Settings:
    env = {f"CLARION_MONGODB_{name.upper()}": value for name, value in changed.items()}
    return Settings.from_env({"CLARION_ENV": "dev", "CLARION_MONGODB": uri, **env})


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://h",
        "mongodb://h:1,i:2/?replicaSet=rs0",
        "mongodb://u:p@h:27017/?replicaSet=rs0&authSource=admin",
        "mongodb://u@h/clarion?authMechanism=MONGODB-X509",
        "mongodb+srv://u:p%40%2F%3A@cluster.example/?tls=true",
        "mongodb://%2Ftmp%2Fmongodb.sock",
        "mongodb://[::1]:27017/",
    ],
)
def test_connection_strings_are_taken_as_they_are(uri: str) -> None:
    assert read(uri).mongodb_security.read() == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "h:27017",
        "http://h",
        "mongodb://",
        "mongodb://u:s3c/r3t@h",
        "mongodb://u:s3c@r3t@h",
        "mongodb://u:s3:cr3t@h",
    ],
)
def test_what_is_none_is_refused_and_not_quoted(uri: str) -> None:
    with pytest.raises(SettingsError, match=r"CLARION_MONGODB .*: (write|name)") as caught:
        read(uri)
    assert "s3" not in str(caught.value)
    assert "r3t" not in str(caught.value)


def test_user_and_password_are_decoded_as_the_driver_does() -> None:
    assert MongodbSecurity(uri="mongodb://a%40b:p%2F+q@h").login() == ("a@b", "p/ q")
    assert MongodbSecurity(uri="mongodb://h").login() == (None, None)


def test_the_connection_string_follows_its_file_unshown(tmp_path: Path) -> None:
    file = tmp_path / "mongodb"
    file.write_text("mongodb://u:first@h\n")
    settings = Settings.from_env({"CLARION_ENV": "dev", "CLARION_MONGODB_FILE": str(file)})
    security = settings.mongodb_security
    assert security.login().password == "first"
    file.write_text("mongodb://u:second@h\n")
    assert security.login().password == "second"
    assert "first" not in f"{settings!r} {security!r} {security.secret!r}"


@pytest.mark.parametrize("option", ["tls=false", "ssl=false"])
def test_files_of_tls_and_no_tls_do_not_go_together(option: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CLARION_MONGODB turns TLS off"):
        read(f"mongodb://h/?{option}", ca_file=str(Authority(tmp_path).ca))


def test_a_file_that_cannot_be_used_is_named() -> None:
    with pytest.raises(SettingsError, match="CLARION_MONGODB_CA_FILE=/none cannot be read"):
        read("mongodb://h", ca_file="/none")
