"""Each metric is named as Prometheus asks, is used somewhere, is exported where it is used, and is on the page."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, get_args

import pytest

from clarion.contracts.lanes import LANES, OBJECTIVES_S
from clarion.telemetry import metrics
from clarion.telemetry.metrics.buckets import DELIVERY_S
from clarion.telemetry.metrics.declare import BaseUnit, Declared, Subject, Unit
from clarion.telemetry.metrics.page import page
from tests.conftest import repository

ROOT: Final = repository()
DECLARED: Final = [declared for subject in metrics.CATALOGUE for declared in subject.declared]
BASE: Final = get_args(BaseUnit)
UNITS: Final = {unit for group in get_args(Unit) for unit in (get_args(group) or (group,))} | {*BASE}
PROMETHEUS_S_OWN: Final = ("total", "count", "sum", "bucket", "info", "created")  # suffixes that the library adds


def subject_of() -> dict[str, Subject]:
    """The subject of each metric, by its name in Python."""
    by_collector = {id(made): subject for subject in metrics.CATALOGUE for _, made in subject._collectors}
    found: dict[str, Subject] = {}
    for name, value in vars(metrics).items():
        if id(value) in by_collector:
            found[name] = by_collector[id(value)]
    return found


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a method of one of these names in the sources."""
    for path, nodes in trees().items():
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                yield path, node


def texts(argument: ast.expr) -> list[str]:
    """The texts that an argument may be: itself, or either side of a condition."""
    sides = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
    return [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]


@lru_cache(1)
def attributes() -> dict[Path, list[ast.Attribute]]:
    """Every `NAME.NAME` of the sources, by file."""
    return {path: [node for node in nodes if isinstance(node, ast.Attribute)] for path, nodes in trees().items()}


@lru_cache(1)
def trees() -> dict[Path, list[ast.AST]]:
    """Every node of the sources, by file."""
    paths = [path for folder in ("libs/clarion", "services") for path in (ROOT / folder).rglob("*.py")]
    return {path: list(ast.walk(ast.parse(path.read_text()))) for path in paths}


def used(under: Path) -> set[str]:
    """Names of the catalogue that the sources in a folder use: `metrics.NAME`, or `NAME.labels` in the catalogue."""
    names: set[str] = set()
    for path, nodes in attributes().items():
        if path.is_relative_to(under):
            named = [(node.value.id, node.attr) for node in nodes if isinstance(node.value, ast.Name)]
            names |= {attr for name, attr in named if name == "metrics"}
            names |= {name for name, attr in named if attr == "labels" and path.parent.name == "metrics"}
    return names


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_its_name_has_its_unit_and_only_letters(declared: Declared) -> None:
    assert re.fullmatch("(clarion|process)(_[a-z]+)+", declared.name)
    last = declared.name.rpartition("_")[2]
    assert last not in PROMETHEUS_S_OWN
    if last in UNITS or declared.unit in BASE:
        assert last == declared.unit


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_it_says_what_it_means_and_what_to_do(declared: Declared) -> None:
    assert re.fullmatch(r"[A-Z][^|\n]+[^|\n.]", declared.meaning)
    assert re.fullmatch(r"[A-Z`0-9][^|\n]+\.", declared.remedy)
    assert len(declared.remedy) <= 120


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_its_labels_are_bounded(declared: Declared) -> None:
    for label in declared.labels:
        assert bool(label.values) != bool(label.bound)
        assert len(set(label.values)) == len(label.values)
    assert len({label.name for label in declared.labels}) == len(declared.labels)


def test_each_metric_is_used_in_a_source() -> None:
    names = subject_of()
    assert len(names) > 50
    assert sorted(names.keys() - used(ROOT)) == []


def test_values_that_sources_name_are_those_of_the_label() -> None:
    made = {id(metric): declared for subject in metrics.CATALOGUE for declared, metric in subject._collectors}
    declared = {name: made[id(metric)] for name, metric in vars(metrics).items() if id(metric) in made}
    seen, wrong = 0, list[str]()
    for path, call in calls("labels", "of"):
        match call.func:
            case ast.Attribute(value=ast.Attribute(value=ast.Name("metrics"), attr=name)):
                for label, argument in zip(declared[name].labels, call.args, strict=True):
                    seen += len(texts(argument))
                    wrong += [f"{path.name}: {name} {text}" for text in texts(argument) if text not in label.values]
            case _:
                pass
    assert seen > 10
    assert wrong == []


@pytest.mark.parametrize("service", ["ingest", "stream", "gateway"])
def test_a_service_exports_the_subjects_of_what_it_counts(service: str) -> None:
    folder, subjects = ROOT / "services" / service, subject_of()
    by_subject = {id(subject): name for name, subject in vars(metrics).items() if isinstance(subject, Subject)}
    exported = used(folder) & {*by_subject.values()} | {"PROCESS"}
    needed = {by_subject[id(subjects[name])] for name in used(folder) & subjects.keys()}
    assert needed
    assert sorted(needed - exported) == []


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == page(), "run `make generated`"


def test_each_objective_is_a_bound_of_the_latency() -> None:
    assert set(OBJECTIVES_S) == set(LANES)
    assert set(OBJECTIVES_S.values()) <= set(DELIVERY_S)
