"""The simulation against what was measured: the same gateways, rate and windows must cost the same. Pure."""

from dataclasses import dataclass
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from tests.growth.simulation.deployment import Connects, Deployment
from tests.growth.simulation.storm import BEFORE_S, Storm
from tests.growth.unit_costs import Sample, UnitCosts

WITHIN: Final = 0.15


@dataclass(frozen=True, slots=True)
class Compared:
    """What so many gateways, or workers, cost for each notification, in µs: as measured, and as foretold."""

    measured: float
    foretold: float

    @property
    def off(self) -> float:
        """Return by which part the simulation is off."""
        return abs(self.foretold / self.measured - 1)


def gateways(costs: UnitCosts, sample: Sample, count: int, rate: float) -> Compared:
    """Simulate what was measured, with nobody cut off, and return what all gateways were busy for."""
    of = _deployment(costs, sample, rate, gateways=count)
    storm = Storm(of, share=0.0, away_s=0.0, seed=0)
    storm.run()
    calm = [moment.gateway_busy for moment in storm.moments if moment.at > -BEFORE_S]
    busy = sum(calm) / len(calm) * count
    return Compared(sample.cpu_us("gateway"), busy / rate * 1e6)


def workers(costs: UnitCosts, sample: Sample, count: int, rate: float) -> Compared:
    """Return the same of so many workers of a lane."""
    of = _deployment(costs, sample, rate, workers=count)
    return Compared(sample.cpu_us("lane"), of.lane_cores(Lane.NORMAL) / rate * 1e6)


def _deployment(costs: UnitCosts, sample: Sample, rate: float, gateways: int = 1, workers: int = 1) -> Deployment:
    windows_per_s = sample.windows / (sample.count / rate)
    return Deployment(
        costs,
        Connects(1.0, 1.0),  # nobody connects
        connection_idle=0.0,  # what a process uses while nothing happens was taken off
        single_item=0.0,
        connections=200,
        rate=rate,
        gateways=gateways,
        shares={lane: float(lane is Lane.NORMAL) for lane in LANES},
        workers=dict.fromkeys(LANES, workers),
        receipts_workers=1,
        ingest_workers=1,
        mongodb_cores=2.0,
        windows_per_s={lane: windows_per_s if lane is Lane.NORMAL else 0.0 for lane in LANES},
    )
