"""The report of a comparison as it was written. The one that docs/compare.md shows is in tests/data/compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.conftest import repository
from tests.report import Row

LAST: Final = repository() / "tests" / "data" / "compare" / "report.json"

Series = list[tuple[float, float, float]]  # seconds, MiB of the system's own processes, MiB of brokers and databases


class Recorded(msgspec.Struct):
    """A report. `rounds` has each system's figures of each round, by name."""

    at: str
    seed: int
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    rows: list[Row]
    rounds: dict[str, list[dict[str, float]]]
    memory: dict[str, Series]
    processes: dict[str, dict[str, tuple[float, float]]]  # seconds of processor time when calm, and MiB at the end
    workload: Mapping[str, float]
    greatest: Mapping[str, int] = {}  # notifications a second that each system carries at most


def read(path: Path) -> Recorded:
    """Read a report."""
    return msgspec.json.decode(path.read_bytes(), type=Recorded)
