"""The storms that are simulated, and what is told of each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from clarion.contracts import objectives
from clarion.contracts.lanes import Lane
from tests.growth.simulation.deployment import Deployment
from tests.growth.simulation.storm import Moment, Storm

SEED: Final = 28
THIRD: Final = 1 / 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which part of all users is cut off, and after how many seconds their network is back."""

    name: str
    share: float
    away_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a storm was like, in all."""

    scenario: Scenario
    upgrades_per_s: float
    moments: Sequence[Moment]
    refused: int
    gave_up: int
    degraded: int

    @property
    def over_s(self) -> float:
        """Return after how many seconds, counted from when the network was back, all were back; infinity if never."""
        return next((one.at for one in self.moments if one.back >= 1), inf) + 1 - self.scenario.away_s

    @property
    def most_connects(self) -> float:
        """Return the most clients that came back in a second."""
        return max(one.connects_per_s for one in self.moments)

    @property
    def mongodb_busiest(self) -> float:
        """Return which share of its cores MongoDB's primary used in its busiest second."""
        return max(one.mongodb_busy for one in self.moments)

    @property
    def gateway_busiest(self) -> float:
        """Return which share of its core a gateway used in its busiest second."""
        return max(one.gateway_busy for one in self.moments)

    @property
    def gateway_waits_s(self) -> float:
        """Return how long a gateway's loop had to work for what waited, at most."""
        return max(one.gateway_wait_s for one in self.moments)

    def worst(self, lane: Lane) -> float:
        """Return the longest that a notification of a lane took."""
        return max(one.late_s[lane] for one in self.moments)

    def late_for_s(self, lane: Lane) -> int:
        """Return for how many seconds a lane was later than its objective."""
        return sum(one.late_s[lane] > objectives.DELIVERED_WITHIN_S[lane] for one in self.moments)


REGION: Final = Scenario("region", THIRD, 60.0)  # a region's network fails for a minute
BALANCER: Final = Scenario("load balancer", THIRD, 0.0)  # one restarts, and cuts all that it carried for a moment
SCENARIOS: Final = (REGION, BALANCER)


def told(of: Deployment, scenario: Scenario, upgrades_per_s: float | None = None) -> Told:
    """Simulate a storm, with another limit of upgrades a second if one is given."""
    limit = of.upgrades_per_s if upgrades_per_s is None else upgrades_per_s
    storm = Storm(replace(of, upgrades_per_s=limit), scenario.share, scenario.away_s, SEED)
    storm.run()
    clients, count = storm.clients, of.gateways
    return Told(
        scenario, limit, storm.moments, clients.refused * count, clients.gave_up * count, clients.degraded * count
    )


def first_full(of: Told, bar: float = 0.99) -> str:
    """Return what was busy all the time first, and how long after the cut; empty when nothing was."""
    for one in of.moments:
        full = [
            name
            for name, busy in (("MongoDB's primary", one.mongodb_busy), ("gateways", one.gateway_busy))
            if busy >= bar
        ]
        if full:
            return f"{' and '.join(full)}, after {one.at:.0f} s"
    return ""
