"""All services in containers, on three brokers and three members, as they run in production."""

import time
from collections.abc import Mapping
from typing import Any, Final

from clarion.settings import Settings
from deploy.local.processes import Spec, services
from deploy.local.servers import ports
from tests.containers import servers
from tests.containers.fleet import Fleet
from tests.containers.servers import Mongo

SECRET: Final = "of-the-tests-in-containers-0123456789abcdef"
SPECS: Final = services(gateways=2)
_PORTS: Final = {"ingest": 8080, "gateway-1": 8081, "gateway-2": 8081, "console": 8082}
KAFKA_WITHIN_S: Final = 90.0
# As the compose file and the chart run them.
_CONFINED: Final[dict[str, Any]] = {
    "read_only": True,
    "tmp": "size=64m",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}


class System:
    """The running system. `settings` are those of clients on this machine."""

    def __init__(self, known: Fleet, images: Mapping[str, str]) -> None:
        self.fleet = known
        self.images = images
        self.mongo = Mongo(known, images["MONGODB_IMAGE"], images["SERVICE_IMAGE"])
        self.ports = ports.choose(dict.fromkeys(_PORTS, 0), {})
        self.started_in_s = 0.0
        self.env = {
            "CLARION_KAFKA": servers.kafka(),
            "CLARION_MONGODB": servers.mongodb(),
            "CLARION_JWT_SECRET": SECRET,
            "CLARION_PARTITIONS_LANE": "6",
            "CLARION_PARTITIONS_DELIVERIES": "8",
            "CLARION_REPLICATION": "3",
            "CLARION_RECIPIENT_RATE": "0",
            "CLARION_SAFETY_NET_S": "4",
            "CLARION_INGEST_URL": "http://ingest:8080",
            "CLARION_GATEWAY_URL": "http://gateway-1:8081,http://gateway-2:8081",
            "CLARION_PROCESSES": " ".join(f"{spec.name}=http://{spec.name}:9400" for spec in SPECS),
        }
        self.settings = Settings.from_env(
            {
                "CLARION_JWT_SECRET": SECRET,
                "CLARION_INGEST_URL": f"http://127.0.0.1:{self.ports['ingest']}",
                "CLARION_GATEWAY_URL": ",".join(
                    f"http://127.0.0.1:{self.ports[name]}" for name in ("gateway-1", "gateway-2")
                ),
            }
        )

    def start(self) -> None:
        """Start everything, and wait until each process says that it is ready."""
        began = time.monotonic()
        servers.start_kafka(self.fleet, self.images["KAFKA_IMAGE"])
        self.mongo.start()
        members = [f"{name}:27017" for name in servers.MEMBERS]
        python = ["/opt/clarion/bin/python"]
        self.run(["/opt/clarion/inside/replica_set.py", *members], entrypoint=python)
        self._apply_topics()
        for spec in SPECS:
            self.start_service(spec)
        for spec in SPECS:
            self.fleet.wait_healthy(spec.name)
        self.started_in_s = time.monotonic() - began
        assert set(self.restarts().values()) == {0}, f"some did not start at once: {self.restarts()}"

    def _apply_topics(self) -> None:
        """Make the topics, as soon as there are three brokers for their replicas."""
        ends = time.monotonic() + KAFKA_WITHIN_S
        while time.monotonic() < ends:
            code, _ = self.ended(["topics", "apply"])
            if code == 0:
                return
        self.run(["topics", "apply"])

    def start_service(self, spec: Spec) -> None:
        inside = _PORTS.get(spec.name)
        self.fleet.start(
            spec.name,
            self.images["SERVICE_IMAGE"],
            spec.arguments,
            env=self.env,
            ports={inside: self.ports[spec.name]} if inside else {},
            restart_policy={"Name": "on-failure"},
            mem_limit="256m",
            **_CONFINED,
        )

    def run(self, command: list[str], **options: Any) -> str:
        """Run a command of the image to its end, with the services' settings; return what it printed."""
        return self.fleet.run(self.images["SERVICE_IMAGE"], command, env=self.env, **_CONFINED, **options)

    def ended(self, command: list[str]) -> tuple[int, str]:
        """Do the same, whatever its exit code, and return that as well."""
        return self.fleet.ended(self.images["SERVICE_IMAGE"], command, env=self.env, **_CONFINED)

    def restarts(self) -> dict[str, int]:
        """How often the engine has started each service again."""
        found: dict[str, int] = {}
        for spec in SPECS:
            container = self.fleet[spec.name]
            container.reload()
            found[spec.name] = int(container.attrs["RestartCount"])
        return found
