"""What a bench or a fault run found: a table for people, `build/reports/<target>.json` for programs."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import quantiles
from typing import Final

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from clarion.contracts import times

FOLDER: Final = Path("build/reports")
_PACKAGES: Final = ("aiokafka", "faust-streaming", "motor", "pymongo", "msgspec", "uvloop")


class Row(msgspec.Struct):
    """`bar` is what it was to reach, `ok` whether it did; neither where there is none."""

    name: str
    value: float
    unit: str
    bar: str = ""
    ok: bool | None = None


class Report(msgspec.Struct):
    """All that a run has found, with what it ran on."""

    target: str
    at: str
    seed: int | None
    versions: dict[str, str]
    machine: dict[str, str | float | None]
    rows: list[Row]


def at_least(name: str, value: float, bar: float, unit: str = "×") -> Row:
    return Row(name, value, unit, f"≥ {bar:g}", value >= bar)


def at_most(name: str, value: float, bar: float, unit: str = "×") -> Row:
    return Row(name, value, unit, f"≤ {bar:g}", value <= bar)


def p99_ms(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100)[98] * 1e3


def none(name: str, count: int) -> Row:
    """What must not be: this one fails a run."""
    return Row(name, count, "", "= 0", count == 0)


def write(target: str, rows: list[Row], console: Console, *, seed: int | None = None) -> None:
    """Print the rows and write them; a bar that was missed is shown and fails nothing."""
    table = Table(box=None)
    for column in ("", "value", "unit", "bar", ""):
        table.add_column(column, justify="right" if column in ("value", "bar") else "left")
    for row in rows:
        verdict = "" if row.ok is None else "[green]✓[/]" if row.ok else "[red]missed[/]"
        table.add_row(row.name, f"{row.value:,.2f}", row.unit, row.bar, verdict)
    console.print(table)
    save(target, rows, console, seed=seed)


def save(
    target: str,
    rows: list[Row],
    console: Console,
    *,
    seed: int | None = None,
    versions: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Path:
    """Write the rows with seed, versions and machine, and what `more` there is; return where."""
    report = Report(
        target,
        times.rfc3339(times.now()),
        seed,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES}
        | dict(versions or {}),
        machine={
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "platform": platform.platform(),
        },
        rows=rows,
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{target}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode({**msgspec.structs.asdict(report), **(more or {})})))
    console.print(f"report: {path}")
    return path


def load(path: Path) -> Report:
    """Return a report that was written before."""
    return msgspec.json.decode(path.read_bytes(), type=Report)
