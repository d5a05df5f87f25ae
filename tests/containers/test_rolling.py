"""`make upgrade` and `make rollback` under load, from the last release and back, and a topic grows between.

Nothing is lost, doubled or out of order, nobody sees another error than the announced restart of a gateway, and urgent
notifications go on. How long each hand-over took is in `build/reports/test-rolling.json`.
"""

import asyncio
import logging
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from clarion.client import Lane
from clarion.contracts.api.close_codes import Close
from deploy.docker import engine
from deploy.docker.rolling import order
from services.stream.engine.windows import POLICIES
from tests import report
from tests.conftest import repository
from tests.containers import released
from tests.containers.compose_project import GATEWAYS, Up, started
from tests.containers.traffic import Sent, Traffic, flowing
from tests.report import Row

USERS = 24
RATE = 60.0
QUIET_S = 10.0
ROLL_WITHIN_S = 400
PAUSE_S = 0.5  # a lane in which nothing arrives for so long beyond a window's age pauses; else it is 70 ms at most
PAUSED_AT_MOST_S = 2.0
P99_AT_MOST = 3.0
CONNECTION_LOOP = "clarion.client.subscribing.connection_loop"


@pytest.fixture(scope="module")
def old(images: Mapping[str, str]) -> str:
    return released.image(images)


@pytest.fixture(scope="module")
def up(images: Mapping[str, str], old: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    with started({**images, "SERVICE_IMAGE": old}, tmp_path_factory.mktemp("rolling"), {}) as found:
        yield found


def roll(up: Up, direction: str, image: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.docker.rolling", direction, image, *options]
    return subprocess.run(
        command, cwd=repository(), env=up.env, capture_output=True, text=True, timeout=ROLL_WITHIN_S, check=False
    )


def running(up: Up) -> dict[str, set[str]]:
    """The images that each service runs on."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    of_project = f"label=com.docker.compose.project={up.env['COMPOSE_PROJECT_NAME']}"
    form = '{{.Label "com.docker.compose.service"}} {{.Image}}'
    for line in engine.read(["docker", "ps", "--filter", of_project, "--format", form]).splitlines():
        service, image = line.split()
        found[service].add(image)
    return {service: found[service] for service in order.UPGRADE}


def ended_with(records: list[logging.LogRecord]) -> Iterator[int]:
    """The code with which each connection of a client ended."""
    for record in records:
        if record.name == CONNECTION_LOOP and (
            found := re.match(r"the connection ended with (\d+)", record.getMessage())
        ):
            yield int(found[1])


def pauses(sent: list[Sent]) -> list[tuple[float, float]]:
    """The times in which nothing of a lane arrived."""
    arrived = sorted(one.arrived_at for one in sent)
    most_s = PAUSE_S + POLICIES[sent[0].lane].max_age_s
    return [(since, until) for since, until in pairwise(arrived) if until - since > most_s]


def waits(traffic: Traffic, sent: list[Sent], paused: list[tuple[float, float]]) -> list[float]:
    """How long each notification was on its way that met neither a pause of its lane nor a restart of its gateway."""
    users = {id(one): user for user in traffic.users for one in user.sent}
    return [
        one.arrived_at - one.accepted_at
        for one in sent
        if users[id(one)].was_live(one.accepted_at, one.arrived_at)
        and not any(one.accepted_at < until and one.arrived_at > since for since, until in paused)
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_all_services_are_replaced_and_rolled_back(
    up: Up, images: Mapping[str, str], old: str, caplog: pytest.LogCaptureFixture
) -> None:
    new = images["SERVICE_IMAGE"]
    caplog.set_level(logging.DEBUG, CONNECTION_LOOP)
    async with flowing(up.settings, USERS, RATE) as traffic:
        await asyncio.sleep(QUIET_S)
        began = time.monotonic()
        upgraded = await asyncio.to_thread(roll, up, "upgrade", new)
        assert upgraded.returncode == 0, upgraded.stdout + upgraded.stderr
        assert set.union(*(await asyncio.to_thread(running, up)).values()) == {new}
        await asyncio.to_thread(up.run, "run", "--rm", "-T", "topics", "topics", "grow", "notifications.high", "8")
        rolled_back_at = time.monotonic()
        back = await asyncio.to_thread(roll, up, "rollback", old)
        assert back.returncode == 0, back.stdout + back.stderr
        ended = time.monotonic()
        assert await asyncio.to_thread(running, up) == {service: {old} for service in order.UPGRADE}
    sent = traffic.settled()
    codes = [code for code in ended_with(caplog.records) if code != 1000]
    assert set(codes) == {Close.RESTART}
    assert traffic.unavailable == []

    away = [for_s for user in traffic.users for for_s in user.away(began)]
    rows = [
        Row("upgrade", rolled_back_at - began, "s"),
        Row("rollback", ended - rolled_back_at, "s"),
        Row("restarts that clients saw", len(away), ""),
        Row("the longest that one was away", max(away), "s"),
        *(row for lane in Lane for row in figures(traffic, [one for one in sent if one.lane is lane], began, ended)),
    ]
    report.write("test-rolling", rows, Console(highlight=False))
    print(upgraded.stdout, back.stdout)


def figures(traffic: Traffic, of_lane: list[Sent], began: float, ended: float) -> Iterator[Row]:
    """What a lane's users noticed of the hand-overs."""
    lane = of_lane[0].lane
    quiet = [one.arrived_at - one.accepted_at for one in of_lane if one.arrived_at < began]
    changing = [one for one in of_lane if began <= one.accepted_at < ended]
    paused = pauses(changing)
    print(f"{lane} paused at", ", ".join(f"{since - began:.1f} to {until - began:.1f} s" for since, until in paused))
    longest = max((until - since for since, until in paused), default=0.0)
    name = f"{lane}: the longest pause"
    yield report.at_most(name, longest, PAUSED_AT_MOST_S, "s") if lane is Lane.URGENT else Row(name, longest, "s")
    before, after = report.p99_ms(quiet), report.p99_ms(waits(traffic, changing, paused))
    yield Row(f"{lane}: p99 from 202 to the user, quiet", before, "ms")
    yield Row(f"{lane}: p99 outside pauses", after, "ms")
    yield report.at_most(f"{lane}: p99 outside pauses / quiet", after / before, P99_AT_MOST)


@pytest.mark.slow
async def test_a_version_that_does_not_start_replaces_none(up: Up, old: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f'FROM {old}\nENTRYPOINT ["false"]\n')
    engine.run(["docker", "build", "--quiet", "--tag", "clarion:broken", str(tmp_path)], within_s=60)
    before = up.run("ps", "-q", "gateway").split()
    async with flowing(up.settings, 4, 8.0) as traffic:
        failed = await asyncio.to_thread(roll, up, "upgrade", "clarion:broken", "--service", "gateway")
    traffic.settled()
    assert failed.returncode == 1
    assert "the new container is not ready" in failed.stderr
    assert sorted(up.run("ps", "-q", "gateway").split()) == sorted(before)
    assert len(before) == GATEWAYS
