"""Which processes make the local stack, as data, in the order in which they start. They end in the reverse order."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.lanes import LANES
from deploy.local.servers.ports import HOST

SERVERS: Final = ("kafka", "mongodb")
USUAL_PORTS: Final = {"kafka": 9092, "kafka-controller": 9093, "mongodb": 27017, "ingest": 8080}
_GATEWAY_PORTS: Final = (8081, 8083, 8084, 8085)  # 8082 is the console's
_ADMIN_PORT: Final = 9400


@dataclass(frozen=True, slots=True)
class Spec:
    """A process of ours: `clarion` with `arguments`. `port` names what it serves, if anything."""

    name: str
    arguments: tuple[str, ...]
    serves: bool = False
    tier: int = 1  # lower tiers end later
    has_admin: bool = True
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def admin(self) -> str:
        return f"{self.name}-admin"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "clarion.cli", *self.arguments]


def services(gateways: int) -> list[Spec]:
    return [
        Spec("ingest", ("ingest",), serves=True, tier=2),
        *(Spec(f"{lane}", ("stream", "--role", "lane", "--lane", lane)) for lane in LANES),
        Spec("receipts", ("stream", "--role", "receipts")),
        Spec("scheduler", ("stream", "--role", "scheduler")),
        *(Spec(f"gateway-{n}", ("gateway",), serves=True, tier=2) for n in range(1, gateways + 1)),
    ]


def wanted_ports(specs: list[Spec]) -> dict[str, int]:
    """The usual port of everything that listens; gateways beyond the usual ones get any."""
    ports = dict(USUAL_PORTS)
    gateways = iter(_GATEWAY_PORTS)
    for number, spec in enumerate(specs):
        if spec.serves and spec.name not in ports:
            ports[spec.name] = next(gateways, 0)
        if spec.has_admin:
            ports[spec.admin] = _ADMIN_PORT + number
    return ports


def outside(own: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The servers that the environment names and that exist already.

    Those with this stack's own addresses do not: a shell that took `clarion local env` names them for ever.
    """
    return {name: environ[name] for name in own if environ.get(name, own[name]) != own[name]}


def client_env(ports: Mapping[str, int], specs: list[Spec], servers: Mapping[str, str], secret: str) -> dict[str, str]:
    """What every process, and whoever uses the stack from a shell, needs to know."""
    gateways = [spec.name for spec in specs if spec.name.startswith("gateway")]
    origins = [f"http://{host}:{ports[name]}" for name in gateways for host in (HOST, "localhost")]
    return {
        "CLARION_ENV": "dev",
        **servers,
        "CLARION_JWT_SECRET_FILE": secret,
        "CLARION_HOST": HOST,
        "CLARION_PARTITIONS_LANE": "4",
        "CLARION_PARTITIONS_DELIVERIES": "8",
        "CLARION_REPLICATION": "1",
        "CLARION_ORIGINS": ",".join(origins),
        "CLARION_INGEST_URL": f"http://{HOST}:{ports['ingest']}" if "ingest" in ports else "",
        "CLARION_GATEWAY_URL": ",".join(f"http://{HOST}:{ports[name]}" for name in gateways),
    }


def own_env(spec: Spec, ports: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if spec.has_admin:
        yield "CLARION_ADMIN_PORT", str(ports[spec.admin])
    if spec.serves:
        yield "CLARION_PORT", str(ports[spec.name])
