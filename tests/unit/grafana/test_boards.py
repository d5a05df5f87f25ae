"""The dashboards, panel by panel: texts, units, variables, queries of series that there are; JSON as Grafana has it."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from clarion.rules.signals import PROCESS
from deploy.grafana.boards import NO_DATA, encoded
from deploy.grafana.dashboards import DASHBOARDS
from tests.unit.clarion.rules.catalogue import known

PAGE: Final = "https://docs.example/runbook.html"
BOARDS: Final[dict[str, dict[str, Any]]] = {
    name: json.loads(encoded(build(), PAGE)) for name, build in DASHBOARDS.items()
}
KNOWN: Final = known()
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

_SELECTOR: Final = re.compile(r"\b(clarion_\w+|process_\w+|up)\b(?:\{([^{}]*)\})?(\[[^\]]*\])?")
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")


def panels() -> Iterator[Any]:
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield pytest.param(panel, id=f"{name}: {panel['title']}")


EACH = pytest.mark.parametrize("panel", [*panels()])
BOARD = pytest.mark.parametrize("board", [*BOARDS.values()], ids=[*BOARDS])


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@BOARD
def test_a_board_is_the_same_after_a_way_through_grafanas_types(board: dict[str, Any]) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    assert again == board


@BOARD
def test_a_board_has_data_source_job_and_instance_as_variables(board: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "filters"]
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    for name in ("job", "instance"):
        assert variables[name]["multi"] is variables[name]["includeAll"] is True
        assert variables[name]["allValue"] == ".+"
        assert variables[name]["datasource"] == SOURCE
        assert variables[name]["query"].startswith("label_values(clarion_")
    assert variables["filters"]["type"] == "adhoc"


@BOARD
def test_a_board_leads_to_the_others_and_to_the_runbook(board: dict[str, Any]) -> None:
    assert board["uid"].startswith("clarion-")
    assert board["title"].startswith("Clarion / ")
    assert board["description"].endswith(".")
    assert [link["url"] for link in board["links"] if link["type"] == "link"] == [PAGE]
    assert [link["tags"] for link in board["links"] if link["type"] == "dashboards"] == [["clarion"]]


@BOARD
def test_no_two_panels_have_one_place(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at.get("x", 0) + at["w"] <= 24
        for x in range(at.get("x", 0), at.get("x", 0) + at["w"]):
            for y in range(at.get("y", 0), at.get("y", 0) + at["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))


def test_boards_have_ids_of_their_own() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 5


@EACH
def test_a_panel_has_title_description_and_unit(panel: dict[str, Any]) -> None:
    assert panel["title"][0].isupper()
    assert panel["description"].endswith(".")
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]


@EACH
def test_a_panel_asks_the_chosen_data_source_job_and_instance(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    for query in queries(panel):
        for name, where, _ in _SELECTOR.findall(query):
            assert 'job=~"$job", instance=~"$instance"' in where, f"{name} in {query}"


@EACH
def test_rates_are_over_grafanas_interval(panel: dict[str, Any]) -> None:
    for query in queries(panel):
        assert all(window in ("", "[$__rate_interval]") for *_, window in _SELECTOR.findall(query))
        assert ("rate(" in query) == ("[$__rate_interval]" in query)


@EACH
def test_no_data_is_not_shown_as_zero(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["noValue"] == NO_DATA
    assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls", False) is False
    assert not any("vector(" in query or "absent(" in query for query in queries(panel))


@EACH
def test_no_label_of_targets_is_assumed(panel: dict[str, Any]) -> None:
    """Sums keep what they are not over, so that namespaces and releases stay apart."""
    for query in queries(panel):
        assert not re.search(r"\b(by|on)\s*\(", query)
        for away in re.findall(r"(?:sum|max|min) without \(([^)]*)\)", query):
            assert "namespace" not in away
            assert "job" not in re.split(r",\s*", away)


@EACH
def test_queries_name_series_and_labels_that_there_are(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        read = _SELECTOR.findall(target["expr"])
        assert read
        labels: set[str] = {"job", "instance"}
        for name, where, window in read:
            assert name in KNOWN, name
            labels |= KNOWN[name].labels
            assert (KNOWN[name].kind == "counter") == bool(window) or name == "clarion_logs_dropped_total", name
            assert set(re.findall(r"(\w+)=~?\"", where)) <= KNOWN[name].labels | {"job", "instance"}
        assert set(_LEGEND.findall(target["legendFormat"])) <= labels
        away = {label for found in re.findall(r"without \(([^)]*)\)", target["expr"]) for label in found.split(", ")}
        assert away - set(PROCESS) <= labels | {""}


@EACH
def test_several_queries_of_a_panel_are_told_apart(panel: dict[str, Any]) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert len(set(legends)) == len(legends)
    assert len({target["refId"] for target in panel["targets"]}) == len(legends)
