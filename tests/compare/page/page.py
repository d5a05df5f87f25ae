"""The table of a comparison, for a terminal and for docs/compare.md, whose part between two marks is made here."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.compare.figures import BEFORE, CLARION, MEASURES, SOCKETIO, Measure
from tests.compare.page import charts
from tests.compare.page.recorded import LAST, Recorded
from tests.compare.verdict import AGAINST_BEFORE, AGAINST_SOCKETIO
from tests.conftest import repository
from tests.report import FOLDER, Row

PAGE: Final = repository() / "docs" / "compare.md"
IMAGES: Final = repository() / "docs" / "images"
BEGIN: Final = "<!-- made by `make compare ARGS=--record`: begin -->"
END: Final = "<!-- made by `make compare ARGS=--record`: end -->"
ARMS: Final = (CLARION, BEFORE, SOCKETIO)
GOALS: Final = (AGAINST_BEFORE, AGAINST_SOCKETIO)


def show(recorded: Recorded, console: Console) -> None:
    """Print the table."""
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(_header(recorded)):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in _rows(recorded):
        table.add_row(*(_coloured(cell) for cell in row))
    console.print(table)


def _coloured(cell: str) -> str:
    return cell.replace("missed", "[red]missed[/]").replace("✓", "[green]✓[/]")


def tables(recorded: Recorded) -> str:
    """Return what docs/compare.md shows of a report, as Markdown."""
    lines = [*_table(_header(recorded), _rows(recorded)), ""]
    if recorded.greatest:
        lines += ["### The greatest rate", ""]
        lines += _table(["", *recorded.greatest], iter([["notifications a second", *_greatest(recorded)]]))
        lines.append("")
    lines += ["### Where it is used", ""]
    lines += _table(["process", "CPU while calm, s", "memory at the end, MiB"], _processes(recorded))
    lines += ["", "### What it ran on", "", *_machine(recorded)]
    return "\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" + "---:|" * (len(header) - 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _header(recorded: Recorded) -> list[str]:
    return ["", *(arm for arm in ARMS if arm in recorded.rounds), *(goal for goal in GOALS)]


def _rows(recorded: Recorded) -> Iterator[list[str]]:
    named = {row.name: row for row in recorded.rows}
    for measure in MEASURES:
        name = f"{measure.name}, {measure.unit}" if measure.unit else measure.name
        cells = [_cell(recorded, arm, measure) for arm in ARMS if arm in recorded.rounds]
        yield [name, *cells, *(_goal(named.get(f"{measure.name}, {goal}")) for goal in GOALS)]


def _cell(recorded: Recorded, arm: str, measure: Measure) -> str:
    """Return the mean of the rounds, and between which figures they were where they differ."""
    values = [one[measure.name] for one in recorded.rounds[arm]]
    texts = [f"{value:,.{measure.digits}f}" for value in (sum(values) / len(values), min(values), max(values))]
    mean, low, high = texts
    return mean if low == high else f"{mean} ({low}–{high})"


def _goal(row: Row | None) -> str:
    if row is None:
        return ""
    value = f"{row.value:+,.0f} {row.unit}".replace("-", "−")
    return f"{value} {'✓' if row.ok else 'missed'} ({row.bar})"


def _greatest(recorded: Recorded) -> Iterator[str]:
    return (f"{rate:,}" for rate in recorded.greatest.values())


def _processes(recorded: Recorded) -> Iterator[list[str]]:
    for arm in ARMS:
        for name, (cpu_s, mib) in recorded.processes.get(arm, {}).items():
            yield [f"{arm}: {name}", f"{cpu_s:.2f}", f"{mib:.0f}"]


def _machine(recorded: Recorded) -> Iterator[str]:
    load, machine = recorded.workload, recorded.machine
    phases = ", ".join(f"{name} {value:g} s" for name, value in load.items() if name not in _FIRST)
    yield (
        f"Seed {recorded.seed}, {len(next(iter(recorded.rounds.values())))} rounds; {load['users']:g} users, "
        f"{load['connected']:g} of them connected; {load['a second']:g} notifications a second; phases: {phases}."
    )
    yield ""
    yield f"{recorded.at}: {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['platform']}. Versions:"
    yield ", ".join(f"{name} {version}" for name, version in recorded.versions.items()) + "."


_FIRST: Final = ("users", "connected", "a second")


def made(page: str, recorded: Recorded) -> str:
    """Return the page with the part that is made of a report made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(recorded)}\n{END}{after}"


def record(recorded: Recorded) -> None:
    """Keep the report that was just written, and write what the page shows of it."""
    LAST.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(FOLDER) / "compare.json", LAST)
    PAGE.write_text(made(PAGE.read_text(), recorded))
    charts.write(recorded, IMAGES)
