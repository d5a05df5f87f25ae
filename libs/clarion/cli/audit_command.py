"""`clarion audit`: proves that every accepted notification is in exactly one state, and names each that is not."""

import asyncio
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from clarion.cli import times
from clarion.cli.topic_commands import say_red
from clarion.settings import Settings

if TYPE_CHECKING:
    from clarion.operating.ledger.judging.states import Finding
    from clarion.operating.ledger.report import Report

FAULTY: Final = 1
UNFINISHED: Final = 3
_SHOWN: Final = 20  # findings of a kind that a table shows; --json has all


def audit(
    since: Annotated[
        str | None,
        typer.Option(help="The beginning: how long ago, such as 2h or 7d, or a time. Without it, all that Kafka has."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="The end, in the same forms. Without it, now.")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every finding.")] = False,
) -> None:
    """Prove that every accepted notification is in exactly one state, and name each that is not.

    Accepted is what Kafka took within the span. Each of it must be in Kafka still, scheduled, pending, delivered,
    expired, collapsed, throttled, retracted or a dead letter. The command only reads, and may run beside everything
    else; docs/ledger.md says what each finding means.

    Exit code 0: everything is accounted for. 1: something is not. 2: an option or a setting is wrong. 3: Kafka or
    MongoDB did not answer, so nothing is proved.
    """
    from clarion.contracts.times import now

    settings, at = Settings.from_env(knows_users=False), now()
    first, last = _moment("--since", since, at), _moment("--until", until, at)
    if first and last and first >= last:
        raise typer.BadParameter("--since must be before --until")
    with _progress(is_shown=sys.stderr.isatty()) as progress:
        is_clean = asyncio.run(_audit(settings, first, last, progress, _print_json if is_json else _print_tables))
    if not is_clean:
        raise typer.Exit(FAULTY)


async def _audit(
    settings: Settings,
    since: datetime | None,
    until: datetime | None,
    progress: Callable[[str, int, int], None],
    show: "Callable[[Report], None]",
) -> bool:
    """Audit, and show the report. Return whether everything is accounted for."""
    from clarion.broker.clients import SEND_ERRORS
    from clarion.operating.ledger.audit import audited
    from clarion.operating.ledger.offsets import TopicMissing
    from clarion.operating.ledger.reading import Stalled
    from clarion.operating.ledger.report import Span
    from clarion.store.driver import database

    within = database.connect(settings)
    try:
        async with audited(settings, within, Span(since, until), progress) as report:
            show(report)
            return report.is_clean
    except (TopicMissing, Stalled) as error:
        say_red(f"the audit could not be finished: {error}")
    except SEND_ERRORS as error:
        say_red(f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error!r}")
    except database.TRANSIENT as error:
        say_red(f"MongoDB (CLARION_MONGODB) did not answer: {error}")
    finally:
        database.close(within)
    raise typer.Exit(UNFINISHED)


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """Return the moment that an option names. Raise `typer.BadParameter`."""
    if text is None:
        return None
    if text[-1:] in times.UNITS and text[:-1].isdigit():
        return now - timedelta(seconds=times.seconds(text))
    try:
        return times.moment(text, None, now)
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{option}: write how long ago, such as 2h or 7d, or a time: {error}") from error


@contextmanager
def _progress(*, is_shown: bool) -> Generator[Callable[[str, int, int], None]]:
    """Yield a function that shows how far the audit is, on standard error, if that is a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as bars:
        task = bars.add_task("asking Kafka", total=None)
        yield lambda what, done, of: bars.update(task, description=what, completed=done, total=of or None)


def _print_json(report: "Report") -> None:
    """Print one object. The findings are written one by one, since there may be more than fit into memory."""
    encoder = msgspec.json.Encoder()
    totals: dict[str, Any] = {
        "since": report.span.since,
        "until": report.span.until or report.asked_at,
        "records": report.records,
        "ids": report.ids,
        "accepted": report.balance.accepted,
        "states": _states(report),
        "unaccounted": report.balance.missing,
        "overdue": report.overdue,
        "scheduled_earlier": report.earlier,
        "faults": {str(fault): count for fault, count in report.faults.items()},
    }
    sys.stdout.write(encoder.encode(totals).decode()[:-1] + ',"findings":[')
    for number, finding in enumerate(report.findings()):
        sys.stdout.write("," * bool(number) + encoder.encode(finding).decode())
    sys.stdout.write("]}\n")


def _states(report: "Report") -> dict[str, int]:
    from clarion.operating.ledger.judging.states import Home

    return {str(home): report.balance.homes[home] for home in Home}


def _print_tables(report: "Report") -> None:
    """Print the equation, and the first findings of each kind."""
    console = Console()
    table = Table(title="The ledger", title_justify="left")
    table.add_column("state")
    table.add_column("notifications", justify="right")
    for home, count in _states(report).items():
        table.add_row(home.replace("_", " "), f"{count:,}")
    table.add_row("in no state", f"{report.balance.missing:,}", style="bold red" if report.balance.missing else "")
    table.add_section()
    table.add_row("accepted", f"{report.balance.accepted:,}", style="bold")
    console.print(table)
    console.print(f"{report.records:,} records of {report.ids:,} ids were read", highlight=False)
    if report.earlier:
        console.print(f"{report.earlier:,} more are scheduled, whose records Kafka does not keep", highlight=False)
    if report.overdue:
        console.print(f"{report.overdue:,} are due since a minute, and wait for the scheduler", highlight=False)
    if report.faults:
        _print_findings(report, console)
    if report.is_clean:
        console.print("everything is accounted for", style="green")
    else:
        console.print("this does not fit: docs/ledger.md says what to do about each", style="red")


def _print_findings(report: "Report", console: Console) -> None:
    table = Table("finding", "id", "place", "why", title_justify="left")
    for finding in _first_of_each(report.findings()):
        place = f"{finding.topic}/{finding.partition}/{finding.offset}" if finding.topic else ""
        table.add_row(str(finding.fault), Text(finding.id or ""), place, Text(finding.detail))
    console.print(table)
    for fault, count in report.faults.items():
        if count > _SHOWN:
            console.print(f"{fault}: {count - _SHOWN:,} more, which --json names", highlight=False)


def _first_of_each(findings: "Iterator[Finding]") -> "Iterator[Finding]":
    last, shown = None, 0
    for finding in findings:
        shown = shown + 1 if finding.fault is last else 1
        last = finding.fault
        if shown <= _SHOWN:
            yield finding
