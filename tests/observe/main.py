"""`make observe`: the system under load with Prometheus beside it: every rule, every panel, and faults that it shows.

Exits non-zero when a rule or a query fails, a panel has no data, a fault is not told as it should be, or does not end;
not when something took longer than its bar, which is shown.
"""

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from tests import report
from tests.observe import wrongs
from tests.observe.course import calm, course
from tests.observe.faults import FAULTS, TOGETHER, Fault
from tests.observe.panels import answered, panels
from tests.observe.servers import Missing
from tests.observe.world import World, world
from tests.report import Row, none

_WARM_S: Final = 15.0


async def main(courses: Sequence[Sequence[str]], *, with_panels: bool) -> int:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is starting is no news

    def say(line: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {escape(line)}")

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            async with world(Path(folder), say) as at:
                say("the whole system runs, under load")
                await asyncio.sleep(_WARM_S)
                if with_panels:
                    rows += _told(say, await _panels(at))
                rows += _told(say, [none("not calm before the faults", int(not await calm(at)))])
                for together in courses:
                    rows += _told(say, await course(at, _possible(at, together)))
        except Missing as error:
            console.print(f"[bold red]✗[/] {escape(str(error))}")
            return 2
    report.write("observe", rows, console)
    return 1 if any(row.ok is False and row.bar == "= 0" for row in rows) else 0


def _told(say: Callable[[str], None], rows: list[Row]) -> list[Row]:
    """Say at once what was missed: the table comes at the end."""
    for row in rows:
        if row.ok is False:
            say(f"missed: {row.name} {row.value:g} {row.unit}, to be {row.bar}")
    return rows


def _possible(at: World, names: Sequence[str]) -> dict[str, Fault]:
    """Those that can be made here."""
    if at.disk is None:
        at.say("no disk can be filled here, since MongoDB has none of its own")
    return {name: FAULTS[name] for name in names if at.disk is not None or not FAULTS[name].needs_disk}


async def _panels(at: World) -> list[Row]:
    began = time.monotonic()
    every = list(panels())
    found, _ = await asyncio.gather(answered(at.asking), wrongs.do(at))  # rates are over some seconds only
    for panel in every:
        if panel not in found:
            at.say(f"no data: {panel.board}, {panel.title}: {panel.query}")
    for panel, value in found.items():
        if not value:
            at.say(f"only 0: {panel.board}, {panel.title}")
    broken = await at.asking.broken_rules()
    for rule in broken:
        at.say(f"a rule fails: {rule}")
    return [
        none("rules that fail", len(broken)),
        Row("queries of panels", len(every), "queries"),
        none("queries of panels without data", len(every) - len(found)),
        Row("queries of panels that are 0", sum(not value for value in found.values()), "queries"),
        Row("panels: took", time.monotonic() - began, "s"),
    ]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=list(FAULTS), action="append", help="this fault; may be given again")
    arguments.add_argument("--panels", action=argparse.BooleanOptionalAction, help="ask the panels (not with --only)")
    arguments.add_argument("--short", action="store_true", help="make faults at once that do not touch each other")
    chosen = arguments.parse_args()
    courses = TOGETHER if chosen.short else [[name] for name in chosen.only or FAULTS]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to stop leaves no process behind
    sys.exit(asyncio.run(main(courses, with_panels=not chosen.only if chosen.panels is None else chosen.panels)))
