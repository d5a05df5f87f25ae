"""Each client of Kafka and MongoDB is made where its connection is secured, and nowhere else."""

import ast
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from clarion.broker import clients, security
from clarion.edges.kafka import KafkaSecurity
from clarion.settings import Settings
from tests.conftest import repository

ROOT: Final = repository()
# What opens connections, by the modules that may make it.
MADE_IN: Final = {
    "AIOKafkaClient": (),
    "AIOKafkaConsumer": ("libs/clarion/broker/clients.py",),
    "AIOKafkaProducer": (),
    "AIOKafkaAdminClient": ("libs/clarion/broker/clients.py",),
    "Producer": ("libs/clarion/broker/clients.py",),
    "_App": ("services/stream/engine/faust_app.py",),
    "App": (),
    "AIOKafkaConnection": (),
    "create_conn": ("libs/clarion/broker/security.py",),
}
# What is imported only to make a client of MongoDB, by the modules that may do so.
IMPORTED_IN: Final = {
    # of servers that the local stack and the compose file run themselves, on loopback and in their own network
    "MongoClient": ("deploy/local/servers/mongodb.py", "deploy/docker/inside/replica_set.py"),
    "AsyncMongoClient": ("libs/clarion/store/driver/database.py",),
    "AsyncIOMotorClient": ("libs/clarion/store/driver/database.py",),
}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for folder in ("libs", "services", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text())):
                    yield str(path.relative_to(ROOT)), node


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path, node in nodes():
        if isinstance(node, ast.Call):
            yield path, _name(node.func), node


def _name(called: ast.expr) -> str:
    while isinstance(called, ast.Subscript):
        called = called.value
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def test_clients_of_kafka_are_made_where_they_are_secured() -> None:
    made = {(path, name) for path, name, _ in calls() if name in MADE_IN}
    assert [f"{path} makes a {name}" for path, name in sorted(made) if path not in MADE_IN[name]] == []
    assert {(path, name) for name, paths in MADE_IN.items() for path in paths} <= made


def test_clients_of_mongodb_are_made_where_they_are_secured() -> None:
    found = {
        (path, one.name)
        for path, node in nodes()
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.name in IMPORTED_IN
    }
    assert found == {(path, name) for name, paths in IMPORTED_IN.items() for path in paths}


def test_every_client_of_kafka_has_the_arguments_that_secure_it() -> None:
    def is_secured(call: ast.Call) -> bool:
        return any(keyword.arg is None and _name_of_call(keyword.value) == "arguments" for keyword in call.keywords)

    def _name_of_call(value: ast.expr) -> str:
        return _name(value.func) if isinstance(value, ast.Call) else ""

    of_kafka = [call for path, name, call in calls() if path.endswith("broker/clients.py") and name in MADE_IN]
    assert len(of_kafka) == 4
    assert all(map(is_secured, of_kafka))


def test_a_client_in_the_clear_is_made_as_before() -> None:
    assert security.arguments(Settings()) == {"security_protocol": "PLAINTEXT"}


def test_a_password_is_in_no_argument_of_a_client() -> None:
    secured = KafkaSecurity(protocol="SASL_PLAINTEXT", user="calls", password="never-shown")
    assert "never-shown" not in repr(security.of(secured))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SaslAuthenticationFailed("bad"), "CLARION_KAFKA_PASSWORD_FILE"),
        (ssl.SSLCertVerificationError("unknown"), "CLARION_KAFKA_CA_FILE"),
        (ssl.SSLError("wrong version"), "CLARION_KAFKA_PROTOCOL"),
        (ConnectionRefusedError("refused"), "refused"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_why_no_connection_comes_about_is_told_in_words(error: Exception, told: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "unable to get local issuer certificate"
    elif isinstance(error, ssl.SSLError):
        error.reason = "WRONG_VERSION_NUMBER"
    assert told in security.in_words(error)


async def test_a_start_that_fails_says_why_it_cannot_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(host: str, port: int, **_: Any) -> None:
        raise SaslAuthenticationFailed("Authentication failed")

    monkeypatch.setattr(security.conn, "create_conn", refused)
    admin = clients.admin(Settings(kafka="broker.example:9092"))
    with pytest.raises(KafkaConnectionError, match=r"broker\.example:9092: user or password are refused"):
        await clients.start(admin)
    await admin.close()


async def test_a_password_file_that_is_gone_is_a_broker_that_is_away(tmp_path: Path) -> None:
    secured = Settings(kafka_protocol="SASL_PLAINTEXT", kafka_user="calls", kafka_password_file=str(tmp_path / "none"))
    admin = clients.admin(secured)
    with pytest.raises(KafkaConnectionError, match=r"CLARION_KAFKA_PASSWORD_FILE=.* cannot be read"):
        await clients.start(admin)
    await admin.close()
