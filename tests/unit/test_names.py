"""Tests are found by their names and places: names are short, and unit tests lie in folders as their sources do."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.conftest import repository

ROOT: Final = repository()
TESTS: Final = ROOT / "tests"
MOST_CHARS: Final = 60

# Where the sources are of what each folder of `tests/unit` tests.
SOURCES: Final = {
    "clarion": "libs/clarion",
    "faults": "tests/faults",
    "gateway": "services/gateway",
    "ingest": "services/ingest",
    "local": "deploy/local",
    "stream": "services/stream",
}


def names(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def test_no_name_of_a_test_has_more_than_60_characters() -> None:
    modules = [*TESTS.rglob("test_*.py")]
    assert len(modules) > 100
    too_long = [
        f"{module.relative_to(ROOT)}: {name} has {len(name)}"
        for module in modules
        for name in names(module)
        if len(name) > MOST_CHARS
    ]
    assert too_long == []


def test_unit_tests_lie_in_folders_as_their_sources_do() -> None:
    unit = TESTS / "unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")} - {Path()}
    assert {folder.parts[0] for folder in folders} == set(SOURCES)
    sources = {folder: ROOT.joinpath(SOURCES[folder.parts[0]], *folder.parts[1:]) for folder in folders}
    assert [str(folder) for folder, source in sources.items() if not source.is_dir()] == []
