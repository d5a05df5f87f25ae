"""The options with which `clarion dlq` chooses letters, and what they mean."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from clarion.cli.times import moment_or_ago
from clarion.contracts import limits, times
from clarion.contracts.api.dead_letters import Chosen, Filter
from clarion.contracts.records.dead_letters import Reason


class Shown(StrEnum):
    """Which letters are listed."""

    KEPT = "kept"
    REPLAYED = "replayed"
    ALL = "all"


Id = Annotated[str, typer.Argument(metavar="ID", help="The id, or the place topic/partition/offset.")]
Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Ids, or places topic/partition/offset, instead of a filter.", show_default=False
    ),
]
OfReason = Annotated[
    Reason | None, typer.Option("--reason", help="Only what died for this reason.", show_default=False)
]
OfTopic = Annotated[
    str | None, typer.Option("--topic", help="Only of this topic, such as notifications.high.", show_default=False)
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Only what died since 2026-12-24T18:00:00Z, or in the last 90s, 15m, 1h, 7d.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", help="Only what died before that time, or that long ago.", show_default=False)
]
OfSender = Annotated[
    str | None, typer.Option("--sender", help="Only of this sender, where it is known.", show_default=False)
]
OfRecipient = Annotated[
    str | None, typer.Option("--recipient", help="Only for this user, where that is known.", show_default=False)
]
OfId = Annotated[str | None, typer.Option("--id", help="Only of the notification with this id.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All letters, instead of ids or a filter.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def filter_of(
    reason: Reason | None,
    topic: str | None,
    since: str | None,
    until: str | None,
    sender: str | None,
    recipient: str | None,
    id_: str | None,
) -> Filter:
    """Return the filter that the options are. Raise `typer.BadParameter` for a time that cannot be read."""
    now = times.now()
    return Filter(
        reason=reason,
        topic=topic,
        since=_moment("--since", since, now),
        until=_moment("--until", until, now),
        sender=sender,
        recipient=recipient,
        notification=id_,
    )


def chosen_of(ids: list[str] | None, wanted: Filter, *, everything: bool, dry_run: bool, again: bool = False) -> Chosen:
    """Return the choice of letters. Raise `typer.BadParameter` when it is not clear which are meant."""
    if ids and len(ids) > limits.DEAD_LETTERS_MOST:
        raise typer.BadParameter(f"name at most {limits.DEAD_LETTERS_MOST} letters at once")
    is_filter = wanted != Filter()
    if bool(ids) + is_filter + everything != 1:
        raise typer.BadParameter("give ids, or a filter such as --reason, or --all: one of them")
    if again and not ids:
        raise typer.BadParameter("--again goes with ids only: name what to replay once more")
    return Chosen(ids=ids or [], filter=wanted if is_filter else None, all=everything, dry_run=dry_run, again=again)


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    return None if text is None else moment_or_ago(option, text, now)
