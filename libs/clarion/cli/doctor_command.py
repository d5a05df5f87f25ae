"""`clarion doctor`: the health of the whole system, and a list of checks with evidence and cure."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from clarion.settings import Settings

if TYPE_CHECKING:
    from clarion.operating.doctor.check import Finding
    from clarion.operating.doctor.examination import Examination
    from clarion.operating.system_health import SystemHealth

_COLOURS: Final = {
    "ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim",
    "degraded": "yellow", "failing": "bold red",
}  # fmt: skip
_MARKS: Final = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "–"}


def doctor(
    notification: Annotated[
        str | None,
        typer.Option("--id", help="A notification that is missing: say what became of it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the whole system, and say what is wrong and what to do; exit with 0, 1 for warnings, or 2 for failures.

    It reads only. Set CLARION_PROCESSES to the admin ports of all processes, and CLARION_PROMETHEUS where there is one.
    Each check, and what to do about it, is in docs/operating.md. An exit code of 2 may also mean that a setting or an
    option is wrong.
    """
    from clarion.cli.ids import notification_id
    from clarion.operating.doctor.examination import examine

    settings = Settings.from_env(knows_users=False)
    id_ = notification_id(notification, "--id") if notification else ""
    found = asyncio.run(examine(settings, os.environ, id_=id_))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(_as_json(found))).decode())
    else:
        Console(highlight=False).print(_rendered(found))
    raise typer.Exit(found.exit_code)


def _as_json(found: "Examination") -> dict[str, object]:
    checks = [
        {
            "check": finding.check,
            "result": finding.outcome.result,
            "evidence": finding.outcome.evidence,
            "cure": finding.outcome.cure,
            "seconds": round(finding.seconds, 3),
        }
        for finding in found.findings
    ]
    return {"health": found.health, "checks": checks, "exit_code": found.exit_code}


def _rendered(found: "Examination") -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found.findings:
        table.add_row(*_row(finding))
    return Group(rendered_health(found.health), Text(), table)


def rendered_health(health: "SystemHealth") -> RenderableType:
    """Return the overall health, in lines for a terminal. The check `health` has the reasons."""
    first = Text.assemble("the system is ", (health.status, _COLOURS[health.status]))
    roles = ", ".join(f"{role} {one.ready}/{one.processes}" for role, one in health.roles.items())
    return Group(first, *([Text(f"  ready: {roles}", "dim")] if roles else []))


def _row(finding: "Finding") -> tuple[Text, Text, Text]:
    outcome = finding.outcome
    colour = _COLOURS[outcome.result]
    told = Text(outcome.evidence, "dim" if outcome.result == "skipped" else "")
    if outcome.cure:
        told.append(f"\n→ {outcome.cure}", "cyan")
    return Text(f"{_MARKS[outcome.result]} {outcome.result}", colour), Text(finding.check), told
