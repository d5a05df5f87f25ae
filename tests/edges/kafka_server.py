"""A Kafka with a listener for each way to secure one, and permissions that nobody has who is not given them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clarion.contracts.topics import Names
from clarion.operating.access.roles import roles
from clarion.settings import Settings
from deploy.local.child import Child
from deploy.local.servers import kafka
from deploy.local.servers.ports import HOST, choose
from tests.certificates import Authority, Certified
from tests.conftest import until

USER: Final = "tests"  # who may do everything
PREFIX: Final = "edges-"  # of the deployment whose roles have users of their own
ROLES: Final = tuple(f"{PREFIX}clarion-{role.name}" for role in roles(Names(PREFIX)))
PASSWORD: Final = "a password = with % in it"  # what SCRAM, JAAS and files have to take as it is
STOP_S: Final = 20.0

# Names of listeners, and the protocol of each. Whoever comes by PLAINTEXT may do everything.
LISTENERS: Final[Mapping[str, str]] = {
    "PLAINTEXT": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "LOGIN": "SASL_PLAINTEXT",
    "SECURE": "SASL_SSL",
}
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """A running Kafka. `authority` signs its certificate, and those of clients."""

    ports: Mapping[str, int]
    authority: Authority
    server: Certified
    child: Child

    def settings(self, listener: str, **changed: Any) -> Settings:
        """Settings of a client that comes by `listener`, and trusts the authority where that has TLS."""
        protocol: Any = LISTENERS[listener]
        ca = str(self.authority.ca) if protocol.endswith("SSL") else ""
        told: dict[str, Any] = {
            "kafka": f"{HOST}:{self.ports[listener]}",
            "kafka_protocol": protocol,
            "kafka_ca_file": ca,
            "env": "dev",
            "partitions_lane": 2,
            "partitions_deliveries": 4,
            "replication": 1,
        }
        return Settings(**(told | changed))


@asynccontextmanager
async def secured_kafka(folder: Path, users: Sequence[str] = (USER, *ROLES)) -> AsyncGenerator[SecuredKafka]:
    """A Kafka that has `users`, all with `PASSWORD`, and ends with the block."""
    home, authority = folder / "kafka", Authority(folder / "kafka" / "tls")
    server = authority.issue("broker", HOST)  # and not for localhost, as clients may call it
    ports = choose(dict.fromkeys(LISTENERS, 0), {})
    command = await asyncio.to_thread(
        kafka.command,
        home,
        port=ports["PLAINTEXT"],
        controller_port=ports["CONTROLLER"],
        more=_properties(ports, users),
        users=[
            f'{mechanism}=[name={user},password="{PASSWORD}"]'
            for user in users
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ],
    )
    child = Child("kafka", command, kafka.ENV, folder / "kafka.log", _nothing, home)
    running = asyncio.create_task(child.run())
    try:
        await until(lambda: _is_ready(child, ports["PLAINTEXT"]), within_s=60)
        yield SecuredKafka(ports, authority, server, child)
    finally:
        await child.stop(STOP_S)
        await running


async def _is_ready(child: Child, port: int) -> bool:
    assert not child.failures, child.tail()
    return await kafka.is_ready(port)


def _properties(ports: Mapping[str, int], users: Sequence[str]) -> str:
    at = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
    known = "".join(f' user_{user}="{PASSWORD}"' for user in users)
    lines = [
        f"listeners={at}",
        f"advertised.listeners={at}",
        "listener.security.protocol.map=" + ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items()),
        "ssl.keystore.type=PEM",
        "ssl.keystore.location=tls/broker-both.pem",
        "ssl.truststore.type=PEM",
        "ssl.truststore.location=tls/ca.pem",
        "listener.name.mutual.ssl.client.auth=required",
        # a principal is a certificate's common name alone, so that the same ACLs serve both kinds of login
        r"ssl.principal.mapping.rules=RULE:^.*[Cc][Nn]=([^,]+).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
        *(
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config={_SCRAM}"
            for listener in ("login", "secure")
            for mechanism in ("scram-sha-256", "scram-sha-512")
        ),
        *(f"listener.name.{listener}.plain.sasl.jaas.config={_PLAIN}{known};" for listener in ("login", "secure")),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS;User:" + USER,
    ]
    return "\n".join(["", *lines, ""])


def _nothing(child: Child, what: str) -> None:
    """What changes is in its log."""
