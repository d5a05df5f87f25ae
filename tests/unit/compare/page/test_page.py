"""docs/compare.md and its charts show the report that is kept, and nothing else."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.compare.figures import CLARION, MEASURES
from tests.compare.page import charts, page
from tests.compare.page.recorded import LAST, Recorded, read
from tests.compare.verdict import rows


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return read(LAST)


def test_the_page_shows_the_report_that_is_kept(recorded: Recorded) -> None:
    text = page.PAGE.read_text()
    assert text == page.made(text, recorded), "run `make compare ARGS=--record`"


def test_charts_are_those_of_the_report_that_is_kept(recorded: Recorded) -> None:
    for name, chart in charts.rendered(recorded).items():
        assert (page.IMAGES / f"compare-{name}.svg").read_text() == chart, name
        assert f"compare-{name}.svg" in page.PAGE.read_text()


def test_charts_need_nothing_from_elsewhere(recorded: Recorded) -> None:
    for chart in charts.rendered(recorded).values():
        assert not [node for node in ET.fromstring(chart).iter() if node.tag.endswith("script")]
        assert re.findall(r"(?:href|src|url)[=(]\W*https?:", chart) == []


def test_kept_rows_follow_from_the_figures_of_the_rounds(recorded: Recorded) -> None:
    again = {row.name: row for row in rows(recorded.rounds)}
    assert {row.name for row in recorded.rows} == set(again)
    for row in recorded.rows:
        assert (row.ok, row.bar) == (again[row.name].ok, again[row.name].bar)
        assert row.value == pytest.approx(again[row.name].value)


def test_a_figure_that_is_changed_by_hand_is_found(recorded: Recorded) -> None:
    changed = page.tables(recorded).replace(recorded.at, "2020-01-01T00:00:00.000Z")
    text = page.PAGE.read_text().replace(page.tables(recorded), changed)
    assert text != page.made(text, recorded)


def test_the_table_has_every_measure_and_says_what_is_missed(recorded: Recorded) -> None:
    text = page.tables(recorded)
    assert all(f"| {measure.name}" in text for measure in MEASURES)
    goals = [row for row in recorded.rows if ", against " in row.name]
    assert text.count(" missed (") == sum(row.ok is False for row in goals)
    assert f"{CLARION}: gateway-1" in text
