"""`make bench-operating BEFORE=folder`: what metrics, the monitor, logs and traces cost, against a tree without them.

The folder is another checkout of this repository, such as one of the commit before they came. Both trees do the same
in turn, a pair at a time, first the one and then the other first; the figure is the median of the pairs' ratios.
"""

import argparse
import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

from rich.console import Console

from deploy.local.stack import Plan, running
from deploy.local.state import Folder
from tests import report
from tests.bench import background, whole_path
from tests.bench.gateway import delivery, idle
from tests.bench.stream import throughput
from tests.bench.stream.load import Traced
from tests.bench.whole_path import Cost
from tests.conftest import repository
from tests.report import Row, at_most

PARTS: Final = ("path", "lane", "traced-lane", "gateway", "memory")
_PATH_S: Final = 8.0
_IDLE: Final = 2_000
_IDLE_PAIRS: Final = 3  # memory is not noisy, and a pair takes two minutes

Env = Mapping[str, str]
_T = TypeVar("_T")


async def main(before: Path, parts: Sequence[str], pairs: int, count: int) -> None:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    background.go_first()
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan(servers_only=True, any_ports=True, full_speed=True)
            async with running(Folder(Path(folder)), plan, console.print) as stack:
                trees = {"without": _tree(stack.env, before), "with": _tree(stack.env, repository())}

                async def lane(name: str, traced: Traced = Traced.SAMPLED) -> float:
                    traced = traced if name == "with" else Traced.NONE
                    samples = await throughput.run("lane", trees[name], count, traced=traced)
                    used, done = samples[-1].cpu_s - samples[0].cpu_s, samples[-1].stored - samples[0].stored
                    return used / done * 1e6

                async def gateway(name: str) -> float:
                    return (await delivery.run("gateway", trees[name], count, 1)).cpu_us

                async def memory(name: str) -> float:
                    return (await idle.hold("gateway", trees[name], _IDLE)).kb_each

                async def path(name: str) -> Cost:
                    return whole_path.together((await whole_path.run(trees[name], _PATH_S)).values())

                if "path" in parts:
                    rows += _path(await _pairs("CPU from a request to its receipt", path, pairs, _shown, console))
                if "lane" in parts:
                    rows += _cost("a lane", await _pairs("CPU of a lane", lane, pairs, _us, console))
                if "traced-lane" in parts:
                    traced_lane = partial(lane, traced=Traced.ALL)
                    found = await _pairs("CPU of a lane whose senders bring traces", traced_lane, pairs, _us, console)
                    rows += _cost("a lane whose senders all bring traces", found)
                if "gateway" in parts:
                    rows += _cost("a gateway", await _pairs("CPU of a gateway", gateway, pairs, _us, console))
                if "memory" in parts:
                    found = await _pairs("idle connection", memory, _IDLE_PAIRS, "{:.2f} KB".format, console)
                    more = median(after - base for base, after in found)
                    rows.append(at_most("memory of an idle connection, with - without", more, 0.2, "KB"))
    finally:
        report.write("bench-operating", rows, console)


def _tree(env: Env, folder: Path) -> dict[str, str]:
    """Return what makes a process run the code of a checkout, wherever it is started."""
    return {**env, "PYTHONSAFEPATH": "1", "PYTHONPATH": f"{folder}:{folder / 'libs'}"}


async def _pairs(
    what: str, measure: Callable[[str], Awaitable[_T]], pairs: int, shown: Callable[[_T], str], console: Console
) -> list[tuple[_T, _T]]:
    """Return what was measured without and with, of each pair."""
    found: list[tuple[_T, _T]] = []
    for pair in range(pairs):
        names = ("without", "with") if pair % 2 == 0 else ("with", "without")
        took = {name: await measure(name) for name in names}
        without, with_ = shown(took["without"]), shown(took["with"])
        console.print(f"  {what}, pair {pair + 1} of {pairs}: {without}; with: {with_}")
        found.append((took["without"], took["with"]))
    return found


def _us(us: float) -> str:
    return f"{us:.2f} µs"


def _shown(cost: Cost) -> str:
    return f"{cost.us:.1f} µs, {cost.beyond_idle_us:.1f} beyond idle, idle {cost.idle:.1%} of a core"


def _path(pairs: Sequence[tuple[Cost, Cost]]) -> list[Row]:
    """Return the cost of a notification with and without what the processes use anyway, and that by itself."""
    what = "all processes from a request to its receipt"
    more = median(after.idle - base.idle for base, after in pairs)
    return [
        *_cost(what, [(base.us, after.us) for base, after in pairs]),
        *_cost(f"{what}, beyond idle", [(base.beyond_idle_us, after.beyond_idle_us) for base, after in pairs]),
        Row("CPU of all processes while nothing happens, with - without", more * 100, "% of a core"),
    ]


def _cost(what: str, pairs: Sequence[tuple[float, float]]) -> list[Row]:
    """Return the median of the ratios, and the interval in which it is with 95 % or more."""
    ratios = sorted(after / base for base, after in pairs)
    low, high = _interval(len(ratios))
    return [
        at_most(f"CPU of {what}, with / without, the median of {len(ratios)} pairs", median(ratios), 1.03),
        Row("its interval: from", ratios[low], "×"),
        Row("to", ratios[high], "×"),
    ]


def _interval(count: int) -> tuple[int, int]:
    """Return the places of the bounds of the median among `count` values in order (binomial, at least 95 %)."""
    chance, low = 0.5**count, 0
    below = chance
    while below + chance * (count - low) / (low + 1) <= 0.025:
        chance *= (count - low) / (low + 1)
        low += 1
        below += chance
    return low, count - 1 - low


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("before", type=Path, help="the other checkout")
    arguments.add_argument("--only", choices=PARTS, action="append", help="this part, and others named likewise")
    arguments.add_argument("--pairs", type=int, default=12)
    arguments.add_argument("--count", type=int, default=150_000, help="notifications of each arm")
    chosen = arguments.parse_args()
    asyncio.run(main(chosen.before.resolve(strict=True), chosen.only or PARTS, chosen.pairs, chosen.count))
