"""Tests are found by their names and places: names are short, and unit tests lie in folders as their sources do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.conftest import repository

ROOT: Final = repository()
TESTS: Final = ROOT / "tests"
SDK_TESTS: Final = ROOT / "libs" / "clarion-js" / "test"
JAVASCRIPT: Final = (".js", ".mjs", ".ts")
MOST_CHARS: Final = 60

# How a test of JavaScript begins, with its name as it is written there; `${…}` counts as it stands.
_JS_TEST: Final = re.compile(r"""\b(?:test|it|describe)(?:\.\w+)?\(\s*(["'`])(.*?)(?<!\\)\1""")

# Where the sources are of what each folder of `tests/unit` tests.
SOURCES: Final = {
    "clarion": "libs/clarion",
    "compare": "tests/compare",
    "console": "services/console",
    "docker": "deploy/docker",
    "faults": "tests/faults",
    "gateway": "services/gateway",
    "grafana": "deploy/grafana",
    "growth": "tests/growth",
    "helm": "deploy/helm",
    "ingest": "services/ingest",
    "local": "deploy/local",
    "observe": "tests/observe",
    "prometheus": "deploy/prometheus",
    "release": "deploy/release",
    "soak": "tests/soak",
    "stream": "services/stream",
}


def names(module: Path) -> Iterator[str]:
    if module.suffix in JAVASCRIPT:
        yield from (name for _, name in _JS_TEST.findall(module.read_text()))
        return
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def too_long(modules: list[Path]) -> list[str]:
    return [
        f"{module.relative_to(ROOT)}: {name} has {len(name)}"
        for module in modules
        for name in names(module)
        if len(name) > MOST_CHARS
    ]


def test_no_name_of_a_test_has_more_than_60_characters() -> None:
    modules = [*TESTS.rglob("test_*.py")]
    assert len(modules) > 100
    assert too_long(modules) == []


def test_no_name_of_a_js_test_has_more_than_60_characters() -> None:
    paths = [path for folder in (TESTS, SDK_TESTS) for path in folder.rglob("*") if "node_modules" not in path.parts]
    modules = [path for path in paths if path.suffix in JAVASCRIPT]
    assert sum(1 for module in modules for _ in names(module)) > 50
    assert too_long(modules) == []


def test_unit_tests_lie_in_folders_as_their_sources_do() -> None:
    unit = TESTS / "unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")} - {Path()}
    assert {folder.parts[0] for folder in folders} == set(SOURCES)
    sources = {folder: ROOT.joinpath(SOURCES[folder.parts[0]], *folder.parts[1:]) for folder in folders}
    assert [str(folder) for folder, source in sources.items() if not source.is_dir()] == []
