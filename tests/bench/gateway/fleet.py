"""Three gateways against one: what a delivery costs must not depend on how many share the users."""

from collections.abc import Mapping
from statistics import median
from typing import Final

from rich.console import Console

from tests.bench import whole_path
from tests.report import Row, at_most

ROUNDS: Final = 5
_SECONDS: Final = 6.0
_ARMS: Final = (1, 3)


async def measure(env: Mapping[str, str], console: Console) -> list[Row]:
    """Deliver the same traffic by one gateway and by three, in turn."""
    found: dict[int, list[float]] = {gateways: [] for gateways in _ARMS}
    for number in range(ROUNDS):
        for gateways in _ARMS if number % 2 == 0 else reversed(_ARMS):
            used = await whole_path.run(env, _SECONDS, gateways)
            found[gateways].append(used["gateway"])
            console.print(f"  gateways: {gateways}  {used['gateway']:.1f} µs of CPU each in all of them")
    one, three = (median(found[gateways]) for gateways in _ARMS)
    return [
        Row(f"one gateway at {whole_path.RATE:,}/s: CPU of a delivery", one, "µs"),
        Row("three gateways: CPU of a delivery", three, "µs"),
        at_most("three gateways / one: CPU of a delivery", three / one, 1.15),
    ]
