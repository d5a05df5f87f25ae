"""`docs/capacity.md`: every figure of its worked tables follows from its unit costs, and its limits are the code's."""

from collections.abc import Callable, Sequence

import pytest

from clarion.contracts import limits
from tests.capacity import page
from tests.capacity.model import DEFAULTS, LANES, Model
from tests.capacity.page import PAGE
from tests.capacity.tables import TABLES, Table, models

TEXT = PAGE.read_text()


@pytest.mark.parametrize(("heading", "rows"), TABLES.items(), ids=[heading.strip("# ") for heading in TABLES])
def test_a_worked_table_follows_from_unit_costs(heading: str, rows: Callable[[Sequence[Model]], Table]) -> None:
    assert list(page.table(TEXT, heading)) == rows(models(TEXT))


def test_shares_of_lanes_are_the_whole() -> None:
    load = page.assumptions(TEXT)
    assert sum(load[f"share_{lane}"] for lane in LANES) == pytest.approx(1)


def test_limits_of_the_page_are_those_of_the_code() -> None:
    told = {name.strip("`"): value for name, value, *_ in page.table(TEXT, "## What limits each part")}
    assert told["CLARION_CONNECTIONS"] == f"{DEFAULTS.connections:,}"
    assert told["CLARION_UPGRADES_PER_S"] == f"{DEFAULTS.upgrades_per_s:,.0f}"
    assert told["CLARION_SENDER_RATE"] == f"{DEFAULTS.sender_rate:,.0f}"
    assert told["CLARION_PARTITIONS_LANE"] == f"{DEFAULTS.partitions_lane}"
    assert told["CLARION_PARTITIONS_DELIVERIES"] == f"{DEFAULTS.partitions_deliveries}"
    assert told["days that Kafka keeps"] == f"{limits.RETENTION_DAYS}"
    assert told["days that MongoDB keeps"] == f"{limits.KEEP_DAYS}"
