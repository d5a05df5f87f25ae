"""The tables of docs/growth.md about what is simulated, computed anew of the recorded measurements. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from tests.growth import recorded
from tests.growth.simulation import bends, hot
from tests.growth.simulation.deployment import Deployment, million
from tests.growth.simulation.scenarios import SCENARIOS, Told, first_full, told
from tests.growth.tables import Table
from tests.growth.unit_costs import UnitCosts
from tests.report import Row

GATEWAYS: Final = (60, 75, 100, 150, 256)  # the fewest that may hold a million, and the most mailboxes
UPGRADES: Final = (500.0, 100.0, 20.0)  # `CLARION_UPGRADES_PER_S`: the default, and lower ones
ROUND_TRIP_S: Final = 0.05
_SHOWN_S: Final = (0, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)


def deployment(rows: Iterable[Row]) -> Deployment:
    """Return the million with the costs of a report."""
    every = list(rows)
    return million(UnitCosts.of(every), recorded.connects(every))


def busy(of: Deployment) -> Table:
    """Return how busy each part is, the busiest first."""
    return [
        ["part", "has", "busy", "full at", "to make it larger"],
        *(
            [one.part, one.has, f"{one.busy:.0%}", f"{one.full_at * of.rate:,.0f}/s", one.more]
            for one in bends.loads(of)
            if one.part != "gateways: connections"
        ),
    ]


def by_gateways(of: Deployment) -> Table:
    """Return what the same load costs on other numbers of gateways."""
    head = ["gateways", "records a second", "notifications a record", "a gateway is busy", "all gateways, cores"]
    lines: list[Sequence[str]] = []
    for one in bends.by_gateways(of, GATEWAYS):
        lanes = sum(one.lane_cores(lane) for lane in LANES)
        lines.append(
            [
                f"{one.gateways}",
                f"{one.records:,.0f}",
                f"{one.rate / one.records:.1f}",
                f"{one.gateway_cores:.0%}",
                f"{one.gateway_cores * one.gateways:.1f}",
                f"{lanes:.1f}",
                f"{one.receipts_cores:.1f}",
                f"{one.kafka_cores_busy:.1f}",
            ]
        )
    return [[*head, "all lanes, cores", "receipts role, cores", "Kafka, cores"], *lines]


def storms(every: Sequence[Told]) -> Table:
    """Return what each storm is like, a column for each."""
    lines = {
        "`CLARION_UPGRADES_PER_S`": [f"{one.upgrades_per_s:,.0f}" for one in every],
        "all are back after, s": [f"{one.over_s:,.0f}" for one in every],
        "most that come back in a second": [f"{one.most_connects:,.0f}" for one in every],
        "refused, and told to come later": [f"{one.refused:,}" for one in every],
        "gave up, since `hello` took 10 s": [f"{one.gave_up:,}" for one in every],
        "greeted before their session was stored": [f"{one.degraded:,}" for one in every],
        "a gateway's core, in its busiest second": [f"{one.gateway_busiest:.0%}" for one in every],
        "its loop waits at most, ms": [f"{one.gateway_waits_s * 1e3:,.0f}" for one in every],
        "MongoDB's cores, in their busiest second": [f"{one.mongodb_busiest:.0%}" for one in every],
        "full first": [first_full(one) or "nothing" for one in every],
        **{f"{lane}, at its latest, s": [f"{one.worst(lane):.2f}" for one in every] for lane in LANES},
        "urgent is later than its objective for, s": [f"{one.late_for_s(Lane.URGENT)}" for one in every],
    }
    return [["", *(one.scenario.name for one in every)], *([name, *figures] for name, figures in lines.items())]


def course(of: Told) -> Table:
    """Return a storm, second by second where something happens. Seconds count from when the network was back."""
    head = ["s", "back", "come back, a second", "refused, a second", "a gateway is busy", "its loop waits, ms"]
    lines: list[Sequence[str]] = []
    for one in of.moments:
        at = one.at - of.scenario.away_s
        if at in _SHOWN_S or one.at == -1:
            lines.append(
                [
                    "before" if one.at == -1 else f"{at:.0f}",
                    "" if one.at == -1 else f"{one.back:.0%}",
                    f"{one.connects_per_s:,.0f}",
                    f"{one.refused_per_s:,.0f}",
                    f"{one.gateway_busy:.0%}",
                    f"{one.gateway_wait_s * 1e3:,.0f}",
                    f"{one.mongodb_busy:.0%}",
                    *(f"{one.late_s[lane]:,.2f}" for lane in LANES),
                ]
            )
    return [[*head, "MongoDB is busy", *(f"{lane}, s" for lane in LANES)], *lines]


def hot_recipient(of: Deployment) -> Table:
    """Return what one user gets who gets a thousand a second, in a lane with a limit and in the one without."""
    lines: list[Sequence[str]] = []
    for lane in (Lane.NORMAL, Lane.URGENT):
        for part in hot.recipient(of, lane, ROUND_TRIP_S):
            full = part.full_at(hot.HOT_PER_S)
            shown = f"{full:,.0f}/s" if full < 1e6 else "never"
            lines.append([f"{lane}: {part.name}", f"{part.busy_before:.0%}", f"{part.busy:.0%}", shown])
    return [["what its notifications pass", "busy before", "busy with it", "full at"], *lines]


def hot_partition(of: Deployment) -> Table:
    """Return how busy the worker is that has a partition with much of its lane."""
    lines: list[Sequence[str]] = []
    for lane in LANES:
        part = hot.partition(of, lane)
        lines.append([str(lane), f"{part.busy_before:.0%}", f"{part.busy:.0%}", f"{of.rate / part.busy:,.0f}/s"])
    return [["lane", "a worker is busy", f"with {hot.HOT_SHARE:.0%} in one partition", "full at, in all lanes"], *lines]


def tables(rows: Iterable[Row]) -> dict[str, Table]:
    """Return every table by its name."""
    of = deployment(rows)
    every = [told(of, scenario, upgrades) for scenario in SCENARIOS for upgrades in UPGRADES]
    region, balancer = [one for one in every if one.upgrades_per_s == of.upgrades_per_s]
    return {
        "busy": busy(of),
        "by gateways": by_gateways(of),
        "storms": storms(every),
        "region": course(region),
        "balancer": course(balancer),
        "hot recipient": hot_recipient(of),
        "hot partition": hot_partition(of),
    }
