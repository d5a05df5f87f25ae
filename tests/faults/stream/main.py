"""`make faults-stream`: every kind of fault while notifications pass, and an account of each of them afterwards.

Seeded: the same seed draws the same schedule. Exits non-zero when anything was lost, changed, unexpected, never
emitted, out of order or stuck; not when repeats exceed their bar, which is shown.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Mapping
from typing import Final

from rich.console import Console

from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from deploy.local.stack import Plan, Stack
from services.stream.engine.windows import POLICIES
from tests import report
from tests.bench.stream.throughput import own_lane
from tests.faults.account import account
from tests.faults.load import Load, online
from tests.faults.strangers import letters
from tests.faults.strangers.librdkafka import Sent
from tests.faults.stream.kinds import KINDS, Field, Stuck
from tests.report import Row, at_most, none
from tests.temporary_stacks import temporary_stack

RATE: Final = 1_000.0
AT_LEAST: Final = 50_000
TEAM: Final = 2


async def main(seed: int, kinds: list[str], share: float, least: int) -> int:
    console = Console(highlight=False)
    console.print(f"seed {seed}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that was killed is no news
    rows: list[Row] = []
    plan = Plan(servers_only=True, any_ports=True, full_speed=True)
    async with temporary_stack(plan, lambda note: console.print(f"    {note}")) as stack:
        for kind in kinds:
            # a seed of its own for each, so that one kind replays without the others
            chance = random.Random(f"{seed} {kind}")
            rows += await one_kind(stack, stack.env, kind, chance, share, least, console)
    report.write("faults-stream", rows, console, seed=seed)
    return 1 if any(row.ok is False and row.bar == "= 0" for row in rows) else 0


async def one_kind(
    stack: Stack, env: Mapping[str, str], kind: str, chance: random.Random, share: float, least: int, console: Console
) -> list[Row]:
    fault, times, lane = KINDS[kind]
    began, stuck = time.perf_counter(), ""
    async with own_lane(env) as own:
        settings = Settings.from_env(own)
        load = Load(settings, RATE, lane)

        def passing() -> int:
            return len(load.published)

        def say(note: str) -> None:
            console.print(f"  {note}, {passing():,} published")

        at = Field(stack, own, lane, chance, say, passing)
        at.team = [await at.start() for _ in range(TEAM)]
        interrupted = 0
        try:
            async with load.running():
                try:
                    interrupted = await fault(at, max(1, round(times * share)))
                except (Stuck, TimeoutError) as error:
                    stuck = str(error) or "something did not end in time"
                while len(load.published) < least:
                    await asyncio.sleep(0.5)
                load.also = {id_: good.said for id_, good in at.sent.good.items()}
            stuck = stuck or ("" if all(worker.is_alive for worker in at.team) else "a worker has ended by itself")
        finally:
            for worker in (*at.team, *at.guests):
                worker.kill()
                await worker.ended()
        told = await _letters(settings, at.sent)
        verdict = account(load.published, load.unsure, await load.stored(), load.emissions, online(), load.early)
    windows = settings.windows_in_flight * (2 if lane is Lane.URGENT else 1)
    bound = interrupted * windows * POLICIES[lane].max_records
    for wrong, ids in (verdict.wrongs() | told).items():
        if ids:
            console.print(f"  [red]{wrong}[/]: {len(ids):,}, such as {ids[:3]}")
    if stuck:
        console.print(f"  [red]stuck[/]: {stuck}")
    wrongs = {"lost", "changed", "unexpected", "never emitted", "out of order"}
    found = verdict.wrongs()
    return [
        Row(f"{kind}: published", len(load.published), "notifications"),
        *(none(f"{kind}: {wrong}", len(found.get(wrong, []))) for wrong in sorted(wrongs)),
        *(none(f"{kind}: {wrong}", len(ids)) for wrong, ids in told.items()),
        none(f"{kind}: stuck", int(bool(stuck))),
        at_most(f"{kind}: emitted again", verdict.repeats, bound, "items"),
        *([Row(f"{kind}: went live early", len(load.early), "items")] if lane is Lane.URGENT else []),
        Row(f"{kind}: took", time.perf_counter() - began, "s"),
    ]


async def _letters(settings: Settings, sent: Sent) -> dict[str, list[str]]:
    """What is wrong with the dead letters of what other clients sent. A worker that was killed may repeat some."""
    if not sent.bad:
        return {}
    found = letters.judge(sent.bad, await letters.collect(settings, len(sent.bad)))
    return {wrong: which for wrong, which in found.wrongs().items() if which is not found.several}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments.add_argument("--only", choices=list(KINDS), action="append", help="this kind; may be given again")
    arguments.add_argument("--share", type=float, default=1.0, help="of the faults of each kind, for a short run")
    arguments.add_argument("--least", type=int, default=AT_LEAST, help="notifications while each kind happens")
    chosen = arguments.parse_args()
    sys.exit(asyncio.run(main(chosen.seed, chosen.only or list(KINDS), chosen.share, chosen.least)))
