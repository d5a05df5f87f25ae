"""Modules can be read in one go: none has more than 300 lines, neither of the sources nor of the tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.conftest import repository

ROOT: Final = repository()
FOLDERS: Final = ("deploy", "docs/site", "libs", "services", "tests")
SUFFIXES: Final = (".js", ".mjs", ".py", ".ts")
MOST_LINES: Final = 300


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in SUFFIXES and not {"node_modules", "vendor"} & set(path.parts):
                yield path


def test_no_module_has_more_than_300_lines() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in modules()}
    assert len(lines) > 500
    too_long = {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_LINES}
    assert too_long == {}
