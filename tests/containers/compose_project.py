"""A project that compose starts on the images that were built, in a network of its own, and removes."""

import os
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from clarion.settings import Settings
from deploy.docker.rolling import compose
from deploy.local.servers import ports
from tests.conftest import repository

WITHIN_S: Final = 180
GATEWAYS: Final = 3
PORTS: Final = ("INGEST_PORT", "GATEWAY_PORT", "CONSOLE_PORT", "KAFKA_PORT", "MONGODB_PORT")
# A network of its own, beside one that a person may have started.
NETWORK: Final = {
    "SUBNET": "10.213.94.0/24",
    "SUBNET_OF_CONTAINERS": "10.213.94.128/25",
    "LOAD_BALANCER_ADDRESS": "10.213.94.10",
}


class Up:
    """The system that compose started, and when. `env` is what its commands are to be given."""

    def __init__(self, images: Mapping[str, str], folder: Path, changes: Mapping[str, Any]) -> None:
        files = [repository() / "docker-compose.yml"]
        if changes:
            files.append(folder / "changes.yml")
            files[-1].write_text(yaml.safe_dump(dict(changes)))
        chosen = ports.choose(dict.fromkeys(PORTS, 0), {})
        named = {
            "COMPOSE_PROJECT_NAME": f"clarion-tests-{os.getpid()}",
            "COMPOSE_FILE": os.pathsep.join(map(str, files)),
        }
        self.env = {
            **os.environ,
            **images,
            **NETWORK,
            **named,
            **{name: str(port) for name, port in chosen.items()},
        }
        secret = repository() / "deploy/docker/secrets/jwt_secret"
        self.settings = Settings.from_env(
            {
                "CLARION_JWT_SECRET_FILE": str(secret),
                "CLARION_INGEST_URL": f"http://127.0.0.1:{chosen['INGEST_PORT']}",
                "CLARION_GATEWAY_URL": f"http://127.0.0.1:{chosen['GATEWAY_PORT']}",
            }
        )
        self.began = time.monotonic()

    def run(self, *arguments: str, within_s: float = WITHIN_S) -> str:
        done = subprocess.run(
            [*compose.command(), "--project-directory", str(repository()), *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@contextmanager
def started(images: Mapping[str, str], folder: Path, changes: Mapping[str, Any]) -> Generator[Up]:
    """Start it with three gateways, and with `changes` to the compose file."""
    up = Up(images, folder, changes)
    try:
        up.run("up", "-d", "--no-build", "--scale", f"gateway={GATEWAYS}")
        yield up
    finally:
        up.run("down", "--volumes", "--timeout", "5", within_s=120)
