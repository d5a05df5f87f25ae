"""What is simulated, as rows of the report. Pure."""

from collections.abc import Mapping, Sequence

from clarion.contracts.lanes import LANES
from tests.growth import recorded
from tests.growth.simulation import bends, measured
from tests.growth.simulation.deployment import million
from tests.growth.simulation.scenarios import SCENARIOS, told
from tests.growth.spread import SAME_EACH, SAME_TOTAL, WORKERS, Arm
from tests.growth.unit_costs import Sample, UnitCosts
from tests.report import Row, at_most


def compared(means: Mapping[Arm, Sample], costs: UnitCosts) -> list[Row]:
    """Return what the simulation foretells of each arm, and by how much it is off."""
    rows: list[Row] = []
    for arm in dict.fromkeys((*SAME_TOTAL, *SAME_EACH)):
        found = measured.gateways(costs, means[arm], arm.gateways, arm.rate)
        name, off = f"simulated: {arm}: CPU of a delivery, off by", found.off * 100
        rows += [
            Row(f"simulated: {arm}: CPU of a delivery", found.foretold, "µs"),
            at_most(name, off, measured.WITHIN * 100, "%"),
        ]
    for arm in WORKERS:
        found = measured.workers(costs, means[arm], arm.workers, arm.rate)
        rows += [
            Row(f"simulated: {arm}: CPU of the lane", found.foretold, "µs"),
            Row(f"simulated: {arm}: CPU of the lane, off by", found.off * 100, "%"),
        ]
    return rows


def rows(measurements: Sequence[Row]) -> list[Row]:
    """Return rows of the million: how busy each part is, and of each storm."""
    of = million(UnitCosts.of(measurements), recorded.connects(measurements))
    found = [Row(f"a million: {one.part}: busy", one.busy * 100, "%") for one in bends.loads(of)]
    for scenario in SCENARIOS:
        storm = told(of, scenario)
        found += [
            Row(f"storm, {scenario.name}: all are back after", storm.over_s, "s"),
            Row(f"storm, {scenario.name}: most that come back at once", storm.most_connects, "/s"),
            Row(f"storm, {scenario.name}: MongoDB's primary, at its busiest", storm.mongodb_busiest * 100, "%"),
            Row(f"storm, {scenario.name}: a gateway, at its busiest", storm.gateway_busiest * 100, "%"),
            *(Row(f"storm, {scenario.name}: {lane}, at its latest", storm.worst(lane), "s") for lane in LANES),
        ]
    return found
