"""`docker compose up` on the images that were built: from nothing to a live notification, with three gateways."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import yaml

from clarion.client import Publisher, Subscriber
from clarion.client.subscribing.state import State
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.servers import ports
from tests.conftest import repository, until
from tests.unit.docker.test_compose import compose

UP_WITHIN_S = 180
GATEWAYS = 3
PROJECT = f"clarion-tests-{os.getpid()}"
PORTS = ("INGEST_PORT", "GATEWAY_PORT", "CONSOLE_PORT", "KAFKA_PORT", "MONGODB_PORT")
# A network of its own, beside one that a person may have started.
NETWORK = {
    "SUBNET": "10.213.94.0/24",
    "SUBNET_OF_CONTAINERS": "10.213.94.128/25",
    "LOAD_BALANCER_ADDRESS": "10.213.94.10",
}


class Up:
    """The system that compose started, and how long it took until everything was healthy."""

    def __init__(self, images: Mapping[str, str], folder: Path) -> None:
        # one connection for each address and gateway: so it shows whose address a gateway sees
        limited = {"services": {"gateway": {"environment": {"CLARION_CONNECTIONS_PER_IP": "1"}}}}
        (folder / "limits.yml").write_text(yaml.safe_dump(limited))
        chosen = ports.choose(dict.fromkeys(PORTS, 0), {})
        self.env = {**os.environ, **images, **NETWORK, **{name: str(port) for name, port in chosen.items()}}
        files = ("-f", str(repository() / "docker-compose.yml"), "-f", str(folder / "limits.yml"))
        where = ("--project-directory", str(repository()))
        self.command = [*compose(), *files, *where, "-p", PROJECT]
        secret = repository() / "deploy/docker/secrets/jwt_secret"
        self.settings = Settings.from_env(
            {
                "CLARION_JWT_SECRET_FILE": str(secret),
                "CLARION_INGEST_URL": f"http://127.0.0.1:{chosen['INGEST_PORT']}",
                "CLARION_GATEWAY_URL": f"http://127.0.0.1:{chosen['GATEWAY_PORT']}",
            }
        )
        self.began = time.monotonic()

    def run(self, *arguments: str, within_s: float = UP_WITHIN_S) -> str:
        done = subprocess.run(
            [*self.command, *arguments], env=self.env, capture_output=True, text=True, timeout=within_s, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@contextmanager
def started(images: Mapping[str, str], folder: Path) -> Generator[Up]:
    up = Up(images, folder)
    try:
        up.run("up", "-d", "--no-build", "--scale", f"gateway={GATEWAYS}")
        yield up
    finally:
        up.run("down", "--volumes", "--timeout", "5", within_s=120)


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncGenerator[Subscriber]:
    states: list[State] = []
    async with Subscriber(url, token=token, on_state=states.append) as subscriber:
        await until(lambda: State.LIVE in states)
        yield subscriber


@pytest.fixture(scope="module")
def up(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    with started(images, tmp_path_factory.mktemp("compose")) as found:
        yield found


async def test_a_notification_is_live_within_three_minutes(up: Up) -> None:
    settings, user = up.settings, f"user-{new_id()}"
    token = mint(settings, sub=user, scope=SUBSCRIBE)
    async with (
        connected(settings.gateway_url, token) as items,
        Publisher.http(settings.ingest_url, token=mint(settings, sub="tests", scope=PUBLISH)) as publisher,
        asyncio.timeout(30),
    ):
        id_ = await publisher.publish(recipient=user, type="t", message="up", priority="urgent")
        assert (await anext(items)).id == id_
    assert time.monotonic() - up.began < UP_WITHIN_S


async def test_clients_are_spread_and_told_apart_by_address(up: Up) -> None:
    """Each gateway takes one connection of an address: three from here, and one from another container."""
    settings = up.settings
    async with AsyncExitStack() as open_:
        for _ in range(GATEWAYS):
            token = mint(settings, sub=f"user-{new_id()}", scope=SUBSCRIBE)
            await open_.enter_async_context(connected(settings.gateway_url, token))
        states: list[State] = []
        token = mint(settings, sub=f"user-{new_id()}", scope=SUBSCRIBE)
        await open_.enter_async_context(Subscriber(settings.gateway_url, token=token, on_state=states.append))
        await until(lambda: State.WAITING in states)
        assert State.LIVE not in states
        script = (
            "import asyncio\n"
            "from clarion.client import Subscriber\n"
            "async def main():\n"
            "    live = asyncio.Event()\n"
            "    on_state = lambda state: live.set() if state == 'live' else None\n"
            f"    async with Subscriber('http://load-balancer:8081', token={token!r}, on_state=on_state):\n"
            "        await asyncio.wait_for(live.wait(), 20)\n"
            "asyncio.run(main())\n"
        )
        await asyncio.to_thread(
            up.run, "run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "topics", "-c", script
        )
