"""The arm of the replaced system: one process of `tests/compare/before`, and mongod."""

import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Final

import msgspec

from deploy.local.servers import mongodb
from deploy.local.servers.ports import HOST, kept
from tests.compare.arms.arm import Arm, Entrance, Report, Request, Running
from tests.compare.arms.supervised import answers, lines_with, number, supervised
from tests.compare.workload import Publish
from tests.subprocesses import free_port
from tests.temporary_stacks import temporary_folder

_JSON: Final = {"Content-Type": "application/json"}
_PACKAGES: Final = ("starlette", "uvicorn", "websockets", "motor")


@asynccontextmanager
async def _running(report: Report) -> AsyncGenerator[Running]:
    port, mongodb_port = free_port(), free_port()
    url = f"http://{HOST}:{port}"
    with temporary_folder() as folder, kept([port, mongodb_port]):
        log = folder.path / "logs" / "before.log"
        env = {"COMPARE_MONGODB": mongodb.uri(mongodb_port), "COMPARE_PORT": str(port), "COMPARE_LOG": str(log)}
        async with supervised(folder.path, report) as processes:
            await processes.start_mongodb(mongodb_port)
            command = (sys.executable, "-m", "tests.compare.before.server")
            await processes.start("server", command, env, lambda: answers(f"{url}/state"))
            yield Running(
                children=processes.children,
                servers=frozenset(("mongodb",)),
                mongodb_port=mongodb_port,
                entrance=Entrance(partial(_single, url), None),
                devices=(sys.executable, "-m", "tests.compare.clients.program", "before"),
                env={"COMPARE_URL": url},
                victims=("server",),
                sockets=lambda: number(f"{url}/state", "sockets"),
                errors=lambda: lines_with(b" ERROR ", [log]),
                versions={name: version(name) for name in _PACKAGES},
                logs=processes.logs,
            )


def _single(url: str, publish: Publish) -> Request:
    said, due_s = publish.said, publish.due_s
    content = {
        "recipient": publish.user,
        "type": said.type,
        "message": said.message,
        "priority": said.priority,
        "data": {**said.data, "key": publish.key},
        **({} if due_s is None else {"deliver_at": time.time() + due_s}),
    }
    return Request(f"{url}/notifications", msgspec.json.encode(content), _JSON)


BEFORE: Final = Arm("the replaced system", lambda: "", _running)
