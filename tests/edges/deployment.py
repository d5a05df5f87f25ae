"""A deployment on the secured servers, in which each role has a user of its own."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from clarion.client import HttpPublisher, Publisher, Subscriber
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.operating.access.roles import Role, roles
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.edges import mongodb_server
from tests.edges.kafka_server import PASSWORD, PREFIX, USER, SecuredKafka
from tests.edges.mongodb_server import SecuredMongodb
from tests.subprocesses import child, env_of, free_port, is_ready

NAMES: Final = Names(PREFIX)
DATABASE: Final = "deployment"
SECRET: Final = "the secret of these tests, of more than 32 bytes"

# What servers say to whom they refuse something.
REFUSED: Final = re.compile(r"AuthorizationFailed|not authorized|Unauthorized", re.IGNORECASE)

# What runs as which role.
PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest": ("ingest",),
    **{f"lane-{lane}": ("stream", "--role", "lane", "--lane", lane) for lane in LANES},
    **{role: ("stream", "--role", role) for role in ("receipts", "scheduler", "observer")},
    "gateway": ("gateway",),
    "console": ("console",),
}


def role_of(name: str) -> Role:
    return next(role for role in roles(NAMES) if role.name == name)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Its secrets are in `folder`: for each role a file with the password, and one with the connection string."""

    kafka: SecuredKafka
    mongodb: SecuredMongodb
    folder: Path

    @property
    def common(self) -> dict[str, Any]:
        """Settings that all processes have."""
        return {
            "prefix": PREFIX,
            "database": DATABASE,
            "jwt_secret": SECRET,
            "host": "127.0.0.1",
            "mongodb_ca_file": str(self.mongodb.authority.ca),
        }

    def administrator(self) -> Settings:
        """Settings of who may do everything."""
        told = {"kafka_user": USER, "kafka_password": PASSWORD, "mongodb": self.mongodb.uri()}
        return self.kafka.settings("SECURE", **(self.common | told))

    def settings(self, role: str, **changed: Any) -> Settings:
        """Settings of a process of `role`, which has its secrets from files."""
        for kind, secret in (("kafka", PASSWORD), ("mongodb", self.mongodb.uri(self.user(role)))):
            if not (path := self.secret(role, kind)).exists():
                path.write_text(secret)
        told = {
            "kafka_user": self.user(role),
            "kafka_password_file": str(self.secret(role, "kafka")),
            "mongodb": self.secret(role, "mongodb").read_text(),
            "mongodb_file": str(self.secret(role, "mongodb")),
        }
        return self.kafka.settings("SECURE", **(self.common | told | changed))

    def secret(self, role: str, kind: str) -> Path:
        return self.folder / f"{kind}.{role}"

    @staticmethod
    def user(role: str) -> str:
        return f"{PREFIX}clarion-{role}"

    def have_users(self) -> None:
        """Give each role a user at MongoDB, who has the role of that name alone."""
        for role in roles(NAMES):
            mine = {"role": f"clarion-{role.name}", "db": DATABASE}
            self.mongodb.have_user(self.user(role.name), mongodb_server.PASSWORD, *([mine] if role.mongodb else []))


async def clarion(settings: Settings, *arguments: str, code: int = 0) -> str:
    """What the command prints, which ends with `code`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", *arguments),
        env={**os.environ, **env_of(settings), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == code, output
    return output


def changed(settings: Settings, **fields: Any) -> Settings:
    return msgspec.structs.replace(settings, **fields)


@dataclass(frozen=True, slots=True)
class Running:
    """Its processes, each as the user of its role. `logs` are by role."""

    deployment: Deployment
    client: Settings
    admin: Mapping[str, int]
    logs: Mapping[str, Path]
    console: str

    def publisher(self) -> HttpPublisher:
        return Publisher.http(self.client.ingest_url, token=mint(self.client, sub="tests", scope=PUBLISH))

    def subscriber(self, user: str) -> Subscriber:
        return Subscriber(self.client.gateway_urls, token=mint(self.client, sub=user, scope=SUBSCRIBE))

    def operator(self) -> Settings:
        """Settings of an operator's commands, who knows all processes."""
        names = {role.removeprefix("lane-"): port for role, port in self.admin.items()}
        told = " ".join(f"{name}=http://127.0.0.1:{port}" for name, port in names.items())
        return changed(self.client, processes=told)

    def refusals(self) -> list[str]:
        """What a process logged that a server refused to it."""
        return [
            f"{role}: {line[:300]}"
            for role, log in self.logs.items()
            for line in log.read_text().splitlines()
            if REFUSED.search(line)
        ]


@asynccontextmanager
async def running(deployment: Deployment, folder: Path) -> AsyncGenerator[Running]:
    """The whole deployment, ready. Its processes are killed at the end."""
    ports = {name: free_port() for name in ("ingest", "gateway", "console")}
    urls = {f"{name}_url": f"http://127.0.0.1:{ports[name]}" for name in ("ingest", "gateway")}
    found = Running(
        deployment,
        deployment.settings("operator", **urls),
        {role: free_port() for role in PROCESSES},
        {role: folder / f"{role}.log" for role in PROCESSES},
        f"http://127.0.0.1:{ports['console']}",
    )
    async with AsyncExitStack() as ending:
        for role, command in PROCESSES.items():
            its = {"admin_port": found.admin[role], "port": ports.get(role, 0)}
            env = env_of(deployment.settings(role, **urls, **its))
            await ending.enter_async_context(child(("-m", "clarion.cli", *command), env, found.logs[role]))
        for role in PROCESSES:
            await until(lambda role=role: is_ready(found.admin[role]), within_s=90)
        yield found
