"""`make soak`: the whole system for a long time, everything on, while a fifth of the connections is lost each minute.

Nothing may be lost, doubled or unaccounted for; memory must not rise, and descriptors, tasks and threads must be back
where they were once everybody is gone. Seeded: the same seed publishes the same kinds in the same order. Exits non-zero
when a bar is missed.
"""

import argparse
import asyncio
import logging
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from clarion.contracts import times
from clarion.operating.ledger.audit import audited
from clarion.operating.ledger.report import Span
from clarion.settings import Settings
from clarion.store.driver import database
from deploy.local import processes
from deploy.local.processes import Spec
from deploy.local.stack import Plan
from tests import report
from tests.otlp_receiver import Receiver, receiving
from tests.report import Row, none
from tests.soak import verdict
from tests.soak.crowd import Crowd, crowd
from tests.soak.traffic import Traffic
from tests.soak.usage import Usage, Watch
from tests.temporary_stacks import temporary_stack

USERS: Final = 250
LATE: Final = 10
RATE: Final = 100.0  # notifications a second
WARM_S: Final = 40.0  # of the same traffic, before the usage at rest is taken: pools and executors are filled then
WARM_SHARE: Final = 0.25  # of the time, before memory counts: caches are filled then, and the heap has found its size
_RESTS_WITHIN_S: Final = 90.0
_ARRIVED_WITHIN_S: Final = 120.0
_LOOK_S: Final = 1.0
_SHOWN: Final = 3
_TOLD_EVERY: Final = 6  # looks

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Spec(Spec):
    """A process that collects its garbage."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.soak.process", *self.arguments]


@dataclass(frozen=True, slots=True)
class _Plan(Plan):
    """The whole stack under production's limits, with its traces exported."""

    env: dict[str, str] = field(default_factory=dict[str, str])

    def services(self) -> list[Spec]:
        return [
            _Spec(spec.name, spec.arguments, spec.serves, spec.tier, spec.has_admin, self.env)
            for spec in processes.services(self.gateways)
        ]


async def main(minutes: float, rate: float, users: int, seed: int, record: Path | None) -> int:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment

    def say(line: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {line}")

    say(f"seed {seed}: {minutes:g} minutes, {rate:g} notifications a second, {users} devices")
    with ExitStack() as ending:
        traces = ending.enter_context(receiving())
        env = {
            "CLARION_RECIPIENT_RATE": "10",  # production's; where tests are imported there is no limit
            "CLARION_SENDER_RATE": "1000",
            "CLARION_SAFETY_NET_S": "60",
            "CLARION_CONNECTIONS_PER_IP": "0",  # all devices have the address of this machine
            "CLARION_OTLP_ENDPOINT": traces.url,
            "CLARION_TRACE_RATIO": "0.05",
        }
        plan = _Plan(any_ports=True, full_speed=True, env=env)
        async with temporary_stack(plan, lambda note: say(f"  {note}")) as stack:
            settings = Settings.from_env(stack.env)
            watch = Watch(stack, settings)
            rows = await _soak(watch, settings, random.Random(seed), minutes, rate, users, traces, say)
    report.write("soak", rows, console, seed=seed)
    looks = report.FOLDER / "soak-usage.json"  # for whoever asks when something began to rise
    looks.write_bytes(msgspec.json.encode(watch.usage))
    say(f"every look at every process: {looks}")
    if record is not None:
        record.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(report.FOLDER / "soak.json", record)
        say(f"recorded as {record}")
    return 0 if verdict.is_met(rows) else 1


async def _soak(
    watch: Watch,
    settings: Settings,
    chance: random.Random,
    minutes: float,
    rate: float,
    users: int,
    traces: Receiver,
    say: Say,
) -> list[Row]:
    here = crowd(settings, chance, users, LATE)
    traffic = Traffic(settings, chance, here.accounts, rate)
    say(f"{WARM_S:g} s of the same, before the usage at rest is taken")
    await _busy(watch, here, traffic, WARM_S, say)
    before = await _at_rest(watch, {})
    watch.usage.clear()
    say("the soak begins")
    began = time.monotonic()
    await _busy(watch, here, traffic, minutes * 60, say, is_last=True)
    say("everybody is gone")
    after = await _at_rest(watch, before)
    warm_until = began + WARM_SHARE * minutes * 60
    counted = {name: [one for one in looks if one.at >= warm_until] for name, looks in watch.usage.items()}
    _show_wrongs(here, traffic, say)
    say("the audit")
    rows = [Row("minutes", minutes, "min"), Row("notifications", rate, "/s"), Row("devices", users, "")]
    rows += [*verdict.of_memory(counted), *verdict.of_rest(before, after)]
    rows += verdict.of_accounts(here.accounts.values())
    ledger = await _audited(settings)
    rows += [
        none("not accepted", traffic.did["refused"]),
        Row("lag, the most at any look", watch.lag_most, "records"),
        none("lag at the end", round(watch.lag)),
        none("unaccounted, the most at any look", round(watch.unaccounted)),
        none("pushed by the safety net only", round(watch.total("clarion_overlooked_total"))),
        none("dead letters", round(watch.total("clarion_dead_lettered_total"))),
        *ledger,
        none("accepted, and not in the ledger", traffic.accepted - round(ledger[0].value)),
    ]
    return rows + verdict.of_features(_features(watch, here, traffic, traces))


async def _busy(
    watch: Watch, here: Crowd, traffic: Traffic, seconds: float, say: Say, *, is_last: bool = False
) -> None:
    """Publish, come and go for so long, then stop publishing and wait until everything has arrived."""
    async with here.here(), asyncio.TaskGroup() as tasks:
        until = time.monotonic() + seconds

        def told() -> None:
            if len(watch.usage["ingest"]) % _TOLD_EVERY != 1:
                return
            left = max(0.0, until - time.monotonic())
            memory = sum(looks[-1].resident for looks in watch.usage.values() if looks[-1].tasks is not None)
            say(
                f"{timedelta(seconds=round(left))} left: {traffic.accepted:,} accepted, {here.live} devices live, "
                f"lag {watch.lag:,.0f}, unaccounted {watch.unaccounted:.0f}, our processes {memory / 2**20:,.0f} MiB"
            )

        works = [tasks.create_task(work) for work in (here.churn(), here.mark(), watch.run(told))]
        async with traffic.flowing():
            await asyncio.sleep(seconds)
        for work in works:
            work.cancel()
        await asyncio.wait(works)
        if is_last:
            say("nothing more is published; everybody comes back")
            await here.all_are_here()
            await _arrived(here, traffic)


async def _arrived(here: Crowd, traffic: Traffic) -> None:
    """Wait until everything has been handed out; when that does not come, the account says what is missing."""
    await asyncio.sleep(max(0.0, (traffic.latest_due - times.now()).total_seconds()))
    deadline = time.monotonic() + _ARRIVED_WITHIN_S
    while any(account.missing for account in here.accounts.values()) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_S)


async def _at_rest(watch: Watch, before: dict[str, Usage]) -> dict[str, Usage]:
    """Return the usage once there is no lag and no more is held than `before`, if that is known; or after a time."""
    deadline = time.monotonic() + _RESTS_WITHIN_S
    while True:
        await asyncio.sleep(5 * _LOOK_S)
        usage = await watch.look()
        if (watch.lag == 0 and verdict.is_met(verdict.of_rest(before, usage))) or time.monotonic() > deadline:
            return usage


async def _audited(settings: Settings) -> list[Row]:
    """What the ledger says of everything that Kafka took."""
    within = database.connect(settings)
    try:
        async with audited(settings, within, Span(), _say_nothing) as found:
            return [
                Row("audited", found.balance.accepted, "notifications"),
                none("in no state, by the audit", found.balance.missing),
                none("findings of the audit", 0 if found.is_clean else sum(found.faults.values())),
                none("overdue", found.overdue),
            ]
    finally:
        database.close(within)


def _say_nothing(_what: str, _done: int, _of: int) -> None:
    """Show nothing of an audit that takes a minute."""


def _features(watch: Watch, here: Crowd, traffic: Traffic, traces: Receiver) -> dict[str, float]:
    """Return how often each thing happened that belongs to a soak."""
    folded = {op: watch.total("clarion_folded_total", op=op) for op in ("delivered", "read", "archived", "unread")}
    return {
        **{f"published: {name}": count for name, count in sorted(traffic.did.items()) if name != "refused"},
        **{f"clients: {name}": here.did[name] for name in ("connections cut", "devices that left")},
        **{f"clients: {name}": here.did[name] for name in ("marks by frames", "uses of inboxes")},
        **{f"receipts folded: {op}": count for op, count in folded.items()},
        "released when due": watch.total("clarion_released_total"),
        "collapsed": watch.total("clarion_collapsed_total"),
        "retracted": watch.total("clarion_retracted_total"),
        "expired": sum(watch.total("clarion_folded_total", op=op) for op in ("expired", "lapsed")),
        "throttled": watch.total("clarion_throttled_total"),
        "pushed by replay": watch.total("clarion_pushed_total", how="replay"),
        "acknowledged on event streams": watch.total("clarion_stream_acks_total"),
        "spans exported": float(len(traces.spans)),
    }


def _show_wrongs(here: Crowd, traffic: Traffic, say: Say) -> None:
    for account in here.accounts.values():
        wrongs = {
            "lost": sorted(account.missing),
            "doubled": account.doubled,
            "out of order": account.out_of_order,
            "never published": sorted(account.unexpected),
        }
        for wrong, ids in wrongs.items():
            if ids:
                say(f"[red]{wrong}[/] for {account.user}: {len(ids):,}, such as {ids[:_SHOWN]}")
    for why in traffic.refused:
        say(f"[red]not accepted[/]: {why}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=15.0, help="how long the soak lasts")
    arguments.add_argument("--rate", type=float, default=RATE, help="notifications a second")
    arguments.add_argument("--users", type=int, default=USERS, help="devices that come and go")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments.add_argument("--record", type=Path, help="also keep the report as this file")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to stop leaves no process behind
    sys.exit(asyncio.run(main(chosen.minutes, chosen.rate, chosen.users, chosen.seed, chosen.record)))
