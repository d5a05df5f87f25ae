"""MongoDB with TLS and logins: both drivers come in, who may not is told why, and no password shows anywhere."""

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from clarion.settings import Settings, SettingsError
from clarion.store.driver import database
from clarion.telemetry.health import Unanswered
from tests.edges.mongodb_server import DATABASE, PASSWORD, ROOT, SecuredMongodb
from tests.subprocesses import env_of

_ROLE = {"role": "readWrite", "db": DATABASE}


async def write_and_read(settings: Settings, name: str) -> None:
    """By each of the two drivers."""
    stored, reads = database.connect(settings), database.connect_reads(settings)
    try:
        await stored[name].insert_one({"_id": name})
        assert await reads[name].find_one({}) == {"_id": name}
    finally:
        database.close(stored)
        await database.close_reads(reads)


async def test_a_login_over_tls_comes_in(mongodb: SecuredMongodb) -> None:
    mongodb.have_user("lane", PASSWORD, _ROLE)
    await write_and_read(mongodb.settings(mongodb.uri("lane")), "login")


async def test_the_connection_string_comes_from_a_file(mongodb: SecuredMongodb, tmp_path: Path) -> None:
    file = tmp_path / "mongodb"
    file.write_text(f"{mongodb.uri()}\n")
    env = {"CLARION_ENV": "dev", "CLARION_MONGODB_FILE": str(file), "CLARION_DATABASE": DATABASE}
    await write_and_read(Settings.from_env(env | {"CLARION_MONGODB_CA_FILE": str(mongodb.authority.ca)}), "file")


async def test_a_certificate_is_a_login_as_well(mongodb: SecuredMongodb) -> None:
    client = mongodb.authority.issue("receipts")
    mongodb.have_certified_user(client, _ROLE)
    uri = f"mongodb://127.0.0.1:{mongodb.port}/?replicaSet=rs0&authMechanism=MONGODB-X509"
    files = {"mongodb_cert_file": str(client.cert), "mongodb_key_file": str(client.key)}
    await write_and_read(mongodb.settings(uri, **files), "certificate")


@pytest.mark.parametrize(
    ("user", "changed", "told"),
    [
        (ROOT, {"mongodb_ca_file": ""}, "no server can be reached"),
        ("nobody", {}, "refuses the user or the password of CLARION_MONGODB"),
    ],
    ids=["no TLS", "unknown user"],
)
async def test_who_may_not_come_in_is_told_why(
    mongodb: SecuredMongodb, user: str, changed: dict[str, str], told: str
) -> None:
    stored = database.connect(mongodb.settings(mongodb.uri(user), **changed))
    try:
        with pytest.raises(Unanswered, match=told) as caught:
            await database.probe(stored)
    finally:
        database.close(stored)
    assert PASSWORD not in str(caught.value)


async def test_a_password_that_is_wrong_is_waited_for(mongodb: SecuredMongodb) -> None:
    stored = database.connect(mongodb.settings(mongodb.uri(password="wrong")))
    try:
        with pytest.raises(database.Unsure, match="MongoDB error 18"):
            await database.insert(stored["refused"], [{"_id": 1}])
    finally:
        database.close(stored)


@pytest.mark.parametrize("command", [("doctor",), ("user", "ann"), ("dlq", "list"), ("stream", "--role", "scheduler")])
async def test_no_output_of_a_command_has_the_password(mongodb: SecuredMongodb, command: tuple[str, ...]) -> None:
    secret = "a-wrong-password@"
    env = env_of(mongodb.settings(mongodb.uri(password=secret))) | {"CLARION_LOG_LEVEL": "debug"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", *command),
        env={**os.environ, **env, "CLARION_KAFKA": "127.0.0.1:9", "CLARION_ADMIN_PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(6 if command[0] == "stream" else 40):
            await process.wait()
    except TimeoutError:
        process.terminate()  # a service waits for the right password
    output = (await process.communicate())[0].decode()
    assert "MongoDB" in output or "mongodb" in output
    assert secret not in output
    assert quote_plus(secret) not in output


async def test_what_the_driver_cannot_read_is_not_quoted() -> None:
    with pytest.raises(SettingsError, match="CLARION_MONGODB is refused by the driver") as caught:
        database.connect(Settings(mongodb="mongodb://lane:hunter2@h:notaport/"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
