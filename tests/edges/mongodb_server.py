"""A mongod that lets nobody in without TLS, and nobody do anything without a login."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography.x509 import load_pem_x509_certificate
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from clarion.settings import Settings
from deploy.local.child import Child
from deploy.local.servers import mongodb
from deploy.local.servers.ports import HOST, choose
from tests.certificates import Authority, Certified
from tests.conftest import until

ROOT: Final = "root"
PASSWORD: Final = "a/password@with:what?has#a meaning%in URIs"
DATABASE: Final = "edges"
STOP_S: Final = 20.0

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SecuredMongodb:
    """A running mongod. `authority` signs its certificate, and those of clients."""

    port: int
    authority: Authority
    server: Certified
    child: Child

    def uri(self, user: str = ROOT, password: str = PASSWORD) -> str:
        return f"mongodb://{quote_plus(user)}:{quote_plus(password)}@{HOST}:{self.port}/?replicaSet=rs0"

    def settings(self, uri: str = "", **changed: Any) -> Settings:
        """Settings of a client that trusts the authority."""
        told: dict[str, Any] = {
            "mongodb": uri or self.uri(),
            "mongodb_ca_file": str(self.authority.ca),
            "database": DATABASE,
            "env": "dev",
        }
        return Settings(**(told | changed))

    def client(self) -> Client:
        """A client that may do everything."""
        return MongoClient(self.uri(), tls=True, tlsCAFile=str(self.authority.ca), serverSelectionTimeoutMS=5_000)

    def have_user(self, user: str, password: str, *roles: str | dict[str, str]) -> None:
        """Make a user, or give one that exists another password and other roles."""
        with self.client() as client:
            known = client.admin.command("usersInfo", user)["users"]
            client.admin.command("updateUser" if known else "createUser", user, pwd=password, roles=list(roles))

    def change_password(self, user: str, password: str) -> None:
        with self.client() as client:
            client.admin.command("updateUser", user, pwd=password)

    def have_certified_user(self, client: Certified, *roles: dict[str, str]) -> None:
        """Let in whoever presents this certificate."""
        name = load_pem_x509_certificate(client.cert.read_bytes()).subject.rfc4514_string()
        with self.client() as root:
            root["$external"].command("createUser", name, roles=list(roles))


@asynccontextmanager
async def secured_mongodb(folder: Path) -> AsyncGenerator[SecuredMongodb]:
    """A mongod that ends with the block."""
    home, authority = folder / "mongodb", Authority(folder / "mongodb-tls")
    server = authority.issue("mongod", HOST)
    (home / "data").mkdir(parents=True)
    key_file = home / "key"
    key_file.write_text("clustersecret" * 4)
    key_file.chmod(0o600)
    (port,) = choose({"mongodb": 0}, {}).values()
    command = [
        *mongodb.command(home / "data", port),
        *("--tlsMode", "requireTLS"),
        *("--tlsCertificateKeyFile", str(server.both)),
        *("--tlsCAFile", str(authority.ca)),
        "--tlsAllowConnectionsWithoutCertificates",
        *("--keyFile", str(key_file)),
    ]
    child = Child("mongodb", command, {}, folder / "mongodb.log", _nothing, home)
    running = asyncio.create_task(child.run())
    found = SecuredMongodb(port, authority, server, child)
    try:
        await until(lambda: asyncio.to_thread(_is_ready, found), within_s=60)
        yield found
    finally:
        await child.stop(STOP_S)
        await running


def _is_ready(found: SecuredMongodb) -> bool:
    """Whether the first user is there, which whoever comes from the machine itself may make before there is one."""
    assert not found.child.failures, found.child.tail()
    open_: Client = MongoClient(
        HOST,
        found.port,
        directConnection=True,
        tls=True,
        tlsCAFile=str(found.authority.ca),
        serverSelectionTimeoutMS=500,
    )
    with open_ as client:
        try:
            said = client.admin.command("hello")
            if not said.get("setName"):
                member = {"_id": 0, "host": f"{HOST}:{found.port}"}
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
            elif said["isWritablePrimary"]:
                client.admin.command("createUser", ROOT, pwd=PASSWORD, roles=["root"])
                return True
        except PyMongoError:
            return False
    return False


def _nothing(child: Child, what: str) -> None:
    """What changes is in its log."""
