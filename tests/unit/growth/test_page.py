"""`docs/growth.md` has the tables that its recorded reports and the simulation make, and nothing was lost in these."""

import pytest

from tests import report
from tests.growth import page, recorded
from tests.growth.recorded import RECORDED, SOAK
from tests.growth.simulation import measured
from tests.growth.spread import SAME_TOTAL, Arm
from tests.growth.unit_costs import UnitCosts


def test_tables_are_as_the_reports_make_them() -> None:
    text = page.PAGE.read_text()
    assert text == page.updated(text, page.made())


def test_the_recorded_growth_met_its_bars() -> None:
    missed = [row.name for row in report.load(RECORDED).rows if row.ok is False]
    assert [name for name in missed if not name.startswith("simulated: ")] == []  # which the next test does anew


def test_nothing_was_lost_in_the_recorded_soak() -> None:
    rows = [row for row in report.load(SOAK).rows if row.bar == "= 0"]
    assert len(rows) >= 10
    assert [row.name for row in rows if row.ok is not True] == []


@pytest.mark.parametrize("arm", SAME_TOTAL, ids=str)
def test_the_simulation_foretells_what_was_recorded(arm: Arm) -> None:
    rows = report.load(RECORDED).rows
    sample = recorded.sample(recorded.values(rows), arm)
    assert measured.gateways(UnitCosts.of(rows), sample, arm.gateways, arm.rate).off <= measured.WITHIN


def test_a_table_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="places"):
        page.updated("nothing here", {"one": "| a |"})


def test_a_table_is_put_into_its_place() -> None:
    before = f"a\n{page.BEGIN.format('one')}\nold\n{page.END}\nb"
    after = page.updated(before, {"one": "| new |"})
    assert "old" not in after
    assert page.updated(after, {"one": "| new |"}) == after
