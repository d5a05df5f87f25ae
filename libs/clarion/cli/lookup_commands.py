"""`clarion trace` and `clarion user`: what became of one notification, and how one user stands."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from clarion.cli.ids import notification_id
from clarion.contracts import names, times
from clarion.contracts.times import rfc3339
from clarion.settings import Settings

if TYPE_CHECKING:
    from clarion.operating.trace.story import Told
    from clarion.store.queries.user_overview import UserOverview

_COLOURS: Final = {
    "delivered": "green", "read": "green", "pending": "yellow", "scheduled": "yellow", "throttled": "yellow",
    "waiting": "yellow", "dead": "bold red", "lost": "bold red", "unknown": "bold red",
}  # fmt: skip
_NOT_KNOWN: Final = ("unknown", "lost")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def trace(
    notification: Annotated[str, typer.Argument(metavar="ID", help="The id of the notification.")],
    as_json: Json = False,
) -> None:
    """Tell the whole story of one notification, with times; exit with 1 if nothing is known of it.

    It reads MongoDB, and looks into Kafka within limits of time and size, which it names when it has reached them.
    """
    from clarion.operating.trace import trace as tracing

    told = asyncio.run(tracing.trace(Settings.from_env(knows_users=False), notification_id(notification, "ID")))
    if as_json:
        _print_json(told)
    else:
        Console(highlight=False).print(_story(told))
    if told.ending in _NOT_KNOWN:
        raise typer.Exit(1)


def _story(told: "Told") -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for wrap in (True, True, False):
        table.add_column(no_wrap=wrap, overflow="fold")
    for step in told.steps:
        at = rfc3339(step.at) if step.at else "?"
        table.add_row(Text(at, "dim"), Text(step.what, "bold"), Text(_printable(step.detail)))
    ending = Text.assemble((str(told.ending), _COLOURS.get(told.ending, "")), f": {_printable(told.summary)}")
    cure = [Text(f"→ {told.cure}", "cyan")] if told.cure else []
    return Group(table, ending, *cure, *(Text(f"note: {note}", "dim") for note in told.notes))


def user(
    name: Annotated[str, typer.Argument(metavar="USER", help="The user: the subject of the token.")],
    as_json: Json = False,
) -> None:
    """Show a user's connections, what is pending by lane, what is unread, and the last acknowledgement."""
    if fault := names.fault_of(name):
        raise typer.BadParameter(f"USER {fault}")
    found = _ask_mongodb(_overview(Settings.from_env(knows_users=False), name))
    if as_json:
        _print_json(found)
    else:
        Console(highlight=False).print(_user(found, times.now()))


async def _overview(settings: Settings, name: str) -> "UserOverview":
    from clarion.store.driver import database
    from clarion.store.queries import user_overview

    stored = database.connect(settings)
    try:
        return await user_overview.find(stored, name)
    finally:
        database.close(stored)


def _user(found: "UserOverview", now: datetime) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for session in found.sessions:
        gateway = session.gateway or "an earlier gateway, which is gone"
        table.add_row("connected", f"since {_ago(session.since, now)}, mailbox {session.mailbox}, {gateway}")
    if not found.sessions:
        table.add_row("connected", "no")
    for lane, pending in found.pending.items():
        since = f", the first since {_ago(pending.since, now)}" if pending.since else ""
        table.add_row(f"pending {lane}", f"{pending.count}{since}")
    table.add_row("unread", "99+" if found.unread >= 100 else str(found.unread))
    table.add_row("throttled", f"{found.throttled} in the inbox were above the user's limit, and not pushed")
    last = found.last_acknowledged
    acknowledged = f"{_ago(last.at, now)}, {last.id} in {last.lane}" if last else "never, of what is kept"
    table.add_row("last acknowledged", acknowledged)
    if found.tokens_since:
        table.add_row("disconnected", f"tokens from before {rfc3339(found.tokens_since)} are refused")
    return table


def _ago(moment: datetime, now: datetime) -> str:
    return f"{rfc3339(moment)} ({(now - moment).total_seconds():,.0f} s ago)"


def _ask_mongodb(asking: Coroutine[Any, Any, "UserOverview"]) -> "UserOverview":
    from clarion.cli.topic_commands import say_red
    from clarion.store.driver.database import TRANSIENT

    try:
        return asyncio.run(asking)
    except TRANSIENT as error:
        say_red(f"MongoDB (CLARION_MONGODB) refused or did not answer: {error}")
        raise typer.Exit(1) from error


def _print_json(found: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


def _printable(text: str) -> str:
    """Return a text without what a terminal does not print: senders wrote parts of it."""
    return "".join(character if character.isprintable() else "�" for character in text)
