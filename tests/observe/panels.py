"""Whether the query of every panel of every dashboard returns data."""

import asyncio
import json
import math
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.conftest import repository
from tests.observe import clocks
from tests.observe.asking import Asking

BOARDS: Final = repository() / "deploy" / "grafana" / "json"
# Four scrapes, as Grafana takes at least; some more, so that a scrape that is late leaves no gap.
RATE_INTERVAL: Final = f"{clocks.SCRAPE_S * 8}s"
_WITHIN_S: Final = 90.0  # the ledger is looked at every 30 s, and the safety net's looks come once a minute
_LEAST_S: Final = 40.0  # what goes wrong meanwhile is to be seen
_AGAIN_S: Final = 2.0


class Panel(NamedTuple):
    """A query of a panel, with its variables as Grafana fills them in."""

    board: str
    title: str
    query: str


def panels() -> Iterator[Panel]:
    for board in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield Panel(board.stem, panel["title"], _filled(target["expr"]))


def _filled(query: str) -> str:
    filled = query.replace("$__rate_interval", RATE_INTERVAL).replace("$job", ".+").replace("$instance", ".+")
    if "$" in filled:
        raise AssertionError(f"a variable of {query} is not known here")
    return filled


async def answered(asking: Asking) -> dict[Panel, float]:
    """The highest value that each panel's query has returned within a time, of those that have returned a number."""
    found, began = dict[Panel, float](), time.monotonic()
    every = list(panels())
    while time.monotonic() < began + (_LEAST_S if len(found) == len(every) else _WITHIN_S):
        for panel in every:
            values = [value for value in await asking.query(panel.query) if math.isfinite(value)]
            if values:
                found[panel] = max(found.get(panel, -math.inf), *values)
        await asyncio.sleep(_AGAIN_S)
    return found
