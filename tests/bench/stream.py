"""`make bench`: a lane against a bare aiokafka loop that does the same work, interleaved in one run.

Prints notifications a second and CPU a notification of each arm and round, then the ratios. The machine is noisy: the
ratios of one run mean something, figures of different runs do not. Never fails by the clock.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from clarion.broker import clients, topics
from clarion.contracts import notification, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import database, notifications, sessions
from deploy.local.stack import Plan, running
from deploy.local.state import Folder

COUNT = int(os.environ.get("BENCH_COUNT", "40000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
USERS = 2_000
WITHIN_S = 120
ARMS = {
    "lane": ["-m", "clarion.cli", "stream", "--role", "lane", "--lane", "low"],
    "bare loop": ["-m", "tests.bench.bare_loop"],
    "stock Faust": ["-m", "tests.bench.stock_faust"],
}
CHOSEN = os.environ.get("BENCH_ARMS", ",".join(ARMS)).split(",")
REPORT = Path("build/reports/bench.json")

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Trial:
    arm: str
    per_second: float
    cpu_us: float


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(servers_only=True, any_ports=True, full_compiler=True)
        async with running(Folder(Path(folder)), plan, console.print) as stack:
            trials = [
                await trial(arm, {**os.environ, **stack.env}) for _ in range(ROUNDS) for arm in CHOSEN
            ]  # interleaved
    show(trials)


async def trial(arm: str, env: dict[str, str]) -> Trial:
    """Fill a lane of its own, half of the users online, then start the arm and see it through."""
    prefix = f"b{new_id()[-8:]}-"
    env |= {"CLARION_PREFIX": prefix, "CLARION_DATABASE": prefix.rstrip("-"), "CLARION_ADMIN_PORT": "0"}
    settings = Settings.from_env(env)
    await topics.apply(settings)
    await fill(settings)
    connection = database.connect(settings)
    stored = notifications.collection(connection)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *ARMS[arm]), env=env, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            watched = psutil.Process(process.pid)
            while not (first := await stored.estimated_document_count()):
                await asyncio.sleep(0.005)
            began, cpu = time.perf_counter(), used(watched)  # without its start
            while (count := await stored.estimated_document_count()) < COUNT:
                await asyncio.sleep(0.02)
            took, cpu = time.perf_counter() - began, used(watched) - cpu
    finally:
        process.kill()
        await process.wait()
        await connection.client.drop_database(connection.name)
        database.close(connection)
    done = Trial(arm, (count - first) / took, cpu / (count - first) * 1e6)
    console.print(f"{arm:10} {done.per_second:8,.0f}/s  {done.cpu_us:6.1f} µs CPU each")
    return done


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def fill(settings: Settings) -> None:
    connection = database.connect(settings)
    online = [sessions.present(f"user-{n}", n % 8, 1, 1) for n in range(0, USERS, 2)]
    await sessions.write(sessions.collection(connection), online)
    database.close(connection)
    topic, now = Names(settings.prefix).notifications(Lane.LOW), times.now()
    producer = clients.producer(settings, linger_ms=5)
    await producer.start()
    try:
        for start in range(0, COUNT, 5_000):
            users = [f"user-{n % USERS}" for n in range(start, min(start + 5_000, COUNT))]
            await clients.send_all(
                producer,
                (
                    {
                        "topic": topic,
                        "key": user.encode(),
                        "value": notification.encode(
                            Notification(
                                id=new_id(),
                                type="bench.item",
                                message="A notification of an ordinary length, as one might be",
                                recipient=user,
                                sender="bench",
                                priority=Lane.LOW,
                                data={"number": 7, "url": "https://example.org/some/where"},
                                created_at=now,
                            )
                        ),
                    }
                    for user in users
                ),
                within_s=60,
            )
    finally:
        await producer.stop()


def show(trials: list[Trial]) -> None:
    table = Table(box=None)
    for column in ("arm", "a second", "CPU µs each"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    means = {
        arm: (
            statistics.mean(t.per_second for t in trials if t.arm == arm),
            statistics.mean(t.cpu_us for t in trials if t.arm == arm),
        )
        for arm in CHOSEN
    }
    for arm, (per_second, cpu_us) in means.items():
        table.add_row(arm, f"{per_second:,.0f}", f"{cpu_us:.1f}")
    (lane, lane_cpu), (bare, bare_cpu) = means["lane"], means["bare loop"]
    table.add_row("ratio", f"{lane / bare:.2f}×", f"{lane_cpu / bare_cpu:.2f}×")
    console.print(table)
    rows = [{"name": t.arm, "value": t.per_second, "unit": "notifications/s"} for t in trials]
    rows += [{"name": f"{t.arm} CPU", "value": t.cpu_us, "unit": "µs/notification"} for t in trials]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_bytes(msgspec.json.encode(rows))
    console.print(f"report: {REPORT}")


if __name__ == "__main__":
    asyncio.run(main())
