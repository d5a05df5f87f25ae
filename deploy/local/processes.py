"""List the processes of the local stack, in the order in which they start. They end in the reverse order."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.lanes import LANES
from deploy.local.servers.ports import HOST

SERVERS: Final = ("kafka", "mongodb")
USUAL_PORTS: Final = {"kafka": 9092, "kafka-controller": 9093, "mongodb": 27017, "ingest": 8080, "console": 8082}
_GATEWAY_PORTS: Final = (8081, 8083, 8084, 8085)  # 8082 is the console's
_ADMIN_PORT: Final = 9400


@dataclass(frozen=True, slots=True)
class Spec:
    """A process of ours: `clarion` with `arguments`. If it `serves`, it has a port by its name."""

    name: str
    arguments: tuple[str, ...]
    serves: bool = False
    tier: int = 1  # lower tiers end later
    has_admin: bool = True
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def admin(self) -> str:
        """Return the name of its admin port."""
        return f"{self.name}-admin"

    def command(self) -> list[str]:
        """Return the command that runs it."""
        return [sys.executable, "-m", "clarion.cli", *self.arguments]


def services(gateways: int) -> list[Spec]:
    """Return Clarion's own processes, with `gateways` gateways."""
    return [
        Spec("ingest", ("ingest",), serves=True, tier=2),
        *(Spec(f"{lane}", ("stream", "--role", "lane", "--lane", lane)) for lane in LANES),
        Spec("receipts", ("stream", "--role", "receipts")),
        Spec("scheduler", ("stream", "--role", "scheduler")),
        Spec("observer", ("stream", "--role", "observer")),
        *(Spec(f"gateway-{n}", ("gateway",), serves=True, tier=2) for n in range(1, gateways + 1)),
        Spec("console", ("console",), serves=True, tier=2),
    ]


def wanted_ports(specs: list[Spec]) -> dict[str, int]:
    """Return the usual port of everything that listens; 0, for any, of gateways beyond the usual ones."""
    ports = dict(USUAL_PORTS)
    gateways = iter(_GATEWAY_PORTS)
    for number, spec in enumerate(specs):
        if spec.serves and spec.name not in ports:
            ports[spec.name] = next(gateways, 0)
        if spec.has_admin:
            ports[spec.admin] = _ADMIN_PORT + number
    return ports


def outside(own: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of servers that the environment names and that exist already.

    Those with this stack's own addresses do not: a shell that took `clarion local env` names them as long as it lives.
    """
    return {name: environ[name] for name in own if environ.get(name, own[name]) != own[name]}


def client_env(ports: Mapping[str, int], specs: list[Spec], servers: Mapping[str, str], secret: str) -> dict[str, str]:
    """Return the settings that every process needs, and everybody who uses the stack from a shell."""
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
        "CLARION_PROCESSES": " ".join(
            f"{spec.name}=http://{HOST}:{ports[spec.admin]}" for spec in specs if spec.has_admin
        ),
    }


def targets(specs: list[Spec], ports: Mapping[str, int]) -> list[dict[str, object]]:
    """Return where Prometheus finds the processes, in the form of its `file_sd_configs`."""
    return [
        {
            "targets": [f"{HOST}:{ports[spec.admin]}"],
            "labels": {"job": f"clarion-{spec.arguments[0]}", "instance": spec.name},
        }
        for spec in specs
        if spec.has_admin
    ]


def own_env(spec: Spec, ports: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the settings of one process: the ports on which it listens."""
    if spec.has_admin:
        yield "CLARION_ADMIN_PORT", str(ports[spec.admin])
    if spec.serves:
        yield "CLARION_PORT", str(ports[spec.name])
