"""Three gateways against one: what a delivery costs must not depend on how many share the users."""

from collections.abc import Mapping
from statistics import median
from typing import Final

from rich.console import Console

from tests.bench import whole_path
from tests.bench.whole_path import Used
from tests.report import Row, at_most

ROUNDS: Final = 5
_SECONDS: Final = 6.0
_IDLE_S: Final = 5.0
_ARMS: Final = (1, 3)


async def measure(env: Mapping[str, str], console: Console) -> list[Row]:
    """Deliver the same traffic by one gateway and by three, in turn.

    What a process uses while nothing happens is no cost of a delivery, so it is taken off and shown by itself.
    """
    found: dict[int, list[Used]] = {gateways: [] for gateways in _ARMS}
    for number in range(ROUNDS):
        for gateways in _ARMS if number % 2 == 0 else reversed(_ARMS):
            used = (await whole_path.run(env, _SECONDS, gateways, idle_s=_IDLE_S))["gateway"]
            found[gateways].append(used)
            console.print(
                f"  gateways: {gateways}  {used.beyond_idle_us:.1f} µs of CPU each in all of them, and "
                f"{used.idle:.1%} of a core while nothing happens"
            )
    one, three = (median(used.beyond_idle_us for used in found[gateways]) for gateways in _ARMS)
    idle_one, idle_three = (median(used.idle for used in found[gateways]) for gateways in _ARMS)
    return [
        Row("one gateway, nothing happens: CPU", idle_one * 100, "% of a core"),
        Row("three gateways, nothing happens: CPU of all", idle_three * 100, "% of a core"),
        Row(f"one gateway at {whole_path.RATE:,}/s: CPU of a delivery beyond that", one, "µs"),
        Row("three gateways: CPU of a delivery beyond that", three, "µs"),
        at_most("three gateways / one: CPU of a delivery", three / one, 1.15),
    ]
