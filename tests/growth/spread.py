"""What a notification costs each role with 1 to 4 gateways and 1 to 4 workers of a lane, and what that is made of."""

from collections import defaultdict
from collections.abc import Mapping
from statistics import mean
from typing import Final, NamedTuple

from rich.console import Console

from clarion.contracts.lanes import Lane
from tests.bench import whole_path
from tests.growth.unit_costs import Sample, UnitCosts, fitted
from tests.report import Row

ROLES: Final = ("ingest", "lane", "receipts", "gateway", "mongodb", "kafka")
TOTAL: Final = 800  # notifications a second
_IDLE_S: Final = 3.0
_TICK_S: Final = 0.05
_WARM: Final = 3  # arms that count nowhere: until then Kafka's compiler is busier than Kafka


class Arm(NamedTuple):
    """So many gateways and workers of a lane, at so many notifications a second."""

    gateways: int
    workers: int
    rate: int
    lane: Lane = Lane.NORMAL

    def __str__(self) -> str:
        named = f"{self.gateways} gateway{'s' * (self.gateways > 1)}"
        named = named if self.lane is Lane.NORMAL else f"{self.lane}: {named}"
        return f"{named}, {self.workers} worker{'s' * (self.workers > 1)}, {self.rate:,}/s"


ALONE: Final = tuple(Arm(1, 1, rate) for rate in (TOTAL // 4, TOTAL // 2, TOTAL))  # unit costs are fitted to these
SAME_TOTAL: Final = tuple(Arm(gateways, 1, TOTAL) for gateways in (1, 2, 3, 4))
SAME_EACH: Final = tuple(Arm(gateways, 1, TOTAL // 4 * gateways) for gateways in (1, 2, 3, 4))
WORKERS: Final = tuple(Arm(1, workers, TOTAL) for workers in (1, 2, 3, 4))
SINGLE: Final = Arm(1, 1, 150, Lane.URGENT)  # whose windows wait for nothing: each notification has one for itself
ARMS: Final = tuple(dict.fromkeys((SINGLE, *ALONE, *SAME_TOTAL, *SAME_EACH, *WORKERS)))


async def measure(
    env: Mapping[str, str], beside: Mapping[str, int], rounds: int, seconds: float, console: Console
) -> tuple[list[Row], dict[Arm, Sample], UnitCosts]:
    """Run each arm in each round; return rows, the means of each arm, and the unit costs."""
    found: defaultdict[Arm, list[Sample]] = defaultdict(list)
    for _ in range(_WARM):
        await _run(env, beside, SAME_TOTAL[-1], seconds)
    for number in range(rounds):
        for arm in ARMS if number % 2 == 0 else reversed(ARMS):  # what the machine does meanwhile, it does to all
            sample = await _run(env, beside, arm, seconds)
            found[arm].append(sample)
            console.print(
                f"  {arm}: gateways {sample.cpu_us('gateway'):.0f} µs each, lane {sample.cpu_us('lane'):.0f}, "
                f"{sample.wakeups['gateway'] / sample.count:.2f} wake-ups of gateways each"
            )
    means = {arm: Sample.mean(samples) for arm, samples in found.items()}
    samples = [(arm.gateways, arm.workers, sample) for arm, sample in means.items() if arm != SINGLE]
    costs = fitted(samples, means[SINGLE])
    return [*_rows(means), *costs.rows()], means, costs


async def _run(env: Mapping[str, str], beside: Mapping[str, int], arm: Arm, seconds: float) -> Sample:
    async with (
        whole_path.running(env, arm.gateways, arm.workers, beside, arm.lane) as path,
        path.connected() as receivers,
    ):
        idle = await path.idle(_IDLE_S)
        used = await path.deliver(receivers, arm.rate, seconds, 1 / arm.rate if arm == SINGLE else _TICK_S)
    busy = {role: used.cpu_s[role] - idle[role] * used.seconds for role in ROLES}
    return Sample(used.count, used.seconds, used.windows, busy, {role: idle[role] for role in ROLES}, used.wakeups)


def _rows(means: Mapping[Arm, Sample]) -> list[Row]:
    rows: list[Row] = []
    for arm, sample in means.items():
        rows += [Row(f"{arm}: CPU of a notification, {role}", sample.cpu_us(role), "µs") for role in ROLES]
        rows += [
            Row(f"{arm}: wake-ups of gateways for a notification", sample.wakeups["gateway"] / sample.count, ""),
            Row(f"{arm}: notifications in a window", sample.count / sample.windows, ""),
        ]
    alone, spread = means[SAME_TOTAL[0]], means[SAME_TOTAL[-1]]
    named = f"{SAME_TOTAL[-1].gateways} gateways / 1"
    each = [means[arm].cpu_us("gateway") for arm in SAME_EACH]
    return [
        *rows,
        Row(f"{named} at the same total: CPU of a delivery", spread.cpu_us("gateway") / alone.cpu_us("gateway"), "×"),
        Row(f"{named} at the same rate of each: CPU of a delivery", each[-1] / each[0], "×"),
        Row("idle: a gateway", mean(sample.idle["gateway"] / arm.gateways for arm, sample in means.items()), "cores"),
    ]
