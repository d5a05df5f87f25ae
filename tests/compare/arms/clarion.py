"""Clarion's arm: the local stack as `make run` starts it, with one gateway."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from clarion.contracts.records.notification import Submission
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from deploy.local.processes import SERVERS
from deploy.local.servers import jars
from deploy.local.stack import Plan, Stack
from tests.compare.arms.arm import Arm, Entrance, Report, Request, Running
from tests.compare.arms.supervised import lines_with
from tests.compare.workload import Publish
from tests.subprocesses import figures_of
from tests.temporary_stacks import temporary_stack

_ERROR: Final = b'"level": "error"'
_VICTIMS: Final = ("gateway-1", "normal", "ingest")


@asynccontextmanager
async def _running(report: Report) -> AsyncGenerator[Running]:
    async with temporary_stack(Plan(any_ports=True, gateways=1), report) as stack:
        settings = Settings.from_env(stack.env)
        yield Running(
            children=stack.children,
            servers=frozenset(SERVERS),
            mongodb_port=stack.ports["mongodb"],
            entrance=_entrance(settings),
            devices=(sys.executable, "-m", "tests.compare.clients.program", "clarion"),
            env=stack.env,
            victims=_VICTIMS,
            sockets=partial(_sockets, stack),
            errors=partial(_errors, stack),
            versions={"kafka": jars.ENDPOINT.partition("+")[0].rpartition(":")[2]},
            logs=stack.folder.logs,
        )


async def _sockets(stack: Stack) -> int:
    figures = await figures_of(stack.ports["gateway-1-admin"])
    return int(sum(count for name, count in figures.items() if name.startswith("clarion_connections{")))


def _errors(stack: Stack) -> int:
    return lines_with(_ERROR, [stack.folder.log(spec.name) for spec in stack.specs])


def _entrance(settings: Settings) -> Entrance:
    token = mint(settings, sub="compare", scope=PUBLISH, ttl_s=7_200)
    authorized, url = {"Authorization": f"Bearer {token}"}, f"{settings.ingest_url}/v1/notifications"

    def single(publish: Publish) -> Request:
        return Request(url, _body(publish), authorized | {"Content-Type": "application/json"})

    def batch(publishes: Sequence[Publish]) -> Request:
        body = b"\n".join(_body(one) for one in publishes)
        headers = authorized | {"Content-Type": "application/x-ndjson"}
        return Request(f"{url}/batch", body, headers, lambda answer: _accepted(answer, len(publishes)))

    return Entrance(single, batch)


def _body(publish: Publish) -> bytes:
    said, due_s = publish.said, publish.due_s
    submission = Submission(
        recipient=publish.user,
        type=said.type,
        message=said.message,
        priority=said.priority,
        data={**said.data, "key": publish.key},
        deliver_at=None if due_s is None else datetime.now(UTC) + timedelta(seconds=due_s),
    )
    return msgspec.json.encode(submission)


def _accepted(answer: bytes, count: int) -> Sequence[bool]:
    lines = [msgspec.json.decode(line) for line in answer.splitlines()]
    taken = {line["line"] for line in lines if line["status"] == 202}
    return [number in taken for number in range(1, count + 1)]


CLARION: Final = Arm("Clarion", lambda: "", _running)
