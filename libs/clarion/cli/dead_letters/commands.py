"""`clarion dlq`: lists, shows, edits, replays and purges dead letters, straight from MongoDB and Kafka."""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from clarion.cli.dead_letters.asking import print_found, print_json, producing, run_as_operator
from clarion.cli.dead_letters.options import (
    All,
    AsJson,
    DryRun,
    Id,
    Ids,
    OfId,
    OfReason,
    OfRecipient,
    OfSender,
    OfTopic,
    Shown,
    Since,
    Until,
    Yes,
    chosen_of,
    filter_of,
)
from clarion.cli.dead_letters.tables import details_of, summaries
from clarion.cli.topic_commands import say_red
from clarion.contracts import limits
from clarion.contracts.api.contents import Content, Header, shown
from clarion.contracts.api.dead_letters import Chosen, Details, Edit, Page, Purged, Results

if TYPE_CHECKING:
    from clarion.operating.audit_log import Operator

dlq = typer.Typer(no_args_is_help=True, help="List, show, edit, replay or purge dead letters.")


@dlq.command("list")
def list_letters(
    reason: OfReason = None,
    topic: OfTopic = None,
    since: Since = None,
    until: Until = None,
    sender: OfSender = None,
    recipient: OfRecipient = None,
    id_: OfId = None,
    state: Annotated[Shown, typer.Option(help="Which letters to list.")] = Shown.KEPT,
    limit: Annotated[
        int, typer.Option(min=1, max=limits.DEAD_LETTERS_MOST, help="How many to list at most.")
    ] = limits.DEAD_LETTERS_PAGE,
    after: Annotated[str | None, typer.Option(help="The `next` of the page before.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    wanted = filter_of(reason, topic, since, until, sender, recipient, id_)

    async def run(operator: "Operator") -> Page:
        from clarion.operating.dead_letters import finding

        return await finding.page(
            operator.database, operator.names, wanted, shown=state.value, limit=limit, after=after
        )

    page = run_as_operator(run)
    print_found(page, as_json, lambda: summaries(page))


@dlq.command("show")
def show(id_: Id, as_json: AsJson = False) -> None:
    """Show one dead letter: why it died, what is in it, what a replay would send, and its history."""

    async def run(operator: "Operator") -> Details:
        from clarion.operating.dead_letters import finding

        return await finding.show(operator.database, operator.names, id_)

    letter = run_as_operator(run)
    print_found(letter, as_json, lambda: details_of(letter))


@dlq.command("edit")
def edit(
    id_: Id,
    value: Annotated[str | None, typer.Option(help="The value to send.", show_default=False)] = None,
    value_file: Annotated[
        str | None, typer.Option(help="A file with that value; - is standard input.", show_default=False)
    ] = None,
    key: Annotated[str | None, typer.Option(help="The key to send.", show_default=False)] = None,
    no_key: Annotated[bool, typer.Option("--no-key", help="Send no key.")] = False,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header to send, NAME=VALUE; these replace all of the record's own.", show_default=False),
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send none of the record's own headers.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take all edits back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change what replays of a dead letter send. The original is kept, and nothing is sent yet."""
    if value is not None and value_file is not None:
        raise typer.BadParameter("give either --value or --value-file")
    if header and no_headers:
        raise typer.BadParameter("give either --header or --no-headers")
    change = Edit(
        value=_from_file(value_file) if value_file else None if value is None else Content(value),
        key=None if key is None else Content(key),
        headers=[] if no_headers else None if not header else [_header(one) for one in header],
        no_key=no_key,
        undo=undo,
    )

    async def run(operator: "Operator") -> Details:
        from clarion.operating.dead_letters import editing

        return await editing.edit(operator, id_, change)

    letter = run_as_operator(run)
    print_found(letter, as_json, lambda: details_of(letter))


@dlq.command("replay")
def replay(
    ids: Ids = None,
    reason: OfReason = None,
    topic: OfTopic = None,
    since: Since = None,
    until: Until = None,
    sender: OfSender = None,
    recipient: OfRecipient = None,
    id_: OfId = None,
    everything: All = False,
    again: Annotated[
        bool, typer.Option("--again", help="Of ids: also what was replayed before and has not died since.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to their topics again, the oldest first. Exit with 1 if one of them is not sent.

    Repeating the command is harmless, also after it was interrupted. A letter that died again three times is passed
    over, unless its id is given.
    """
    wanted = filter_of(reason, topic, since, until, sender, recipient, id_)
    chosen = chosen_of(ids, wanted, everything=everything, dry_run=dry_run, again=again)
    _confirm("Replay", chosen, "kept", yes=yes or dry_run)

    async def run(operator: "Operator") -> Results:
        from clarion.operating.dead_letters.replaying import replay as replay_part

        async with producing() as producer:
            return await _in_parts(lambda after: replay_part(operator, producer, _after(chosen, after)), as_json)

    results = run_as_operator(run)
    if not as_json:
        what = "would be replayed" if dry_run else "replayed"
        typer.echo(f"{results.done} {what}, {results.failed} not", err=True)
    if results.passed_over:
        say_red(
            f"{results.passed_over} were passed over, since they died again {limits.REPLAYS_BY_FILTER} times: "
            "edit them, and replay them by their ids"
        )
    if results.failed:
        raise typer.Exit(1)


@dlq.command("purge")
def purge(
    ids: Ids = None,
    reason: OfReason = None,
    topic: OfTopic = None,
    since: Since = None,
    until: Until = None,
    sender: OfSender = None,
    recipient: OfRecipient = None,
    id_: OfId = None,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters, whether or not they were replayed. Their records stay in Kafka for 30 days."""
    wanted = filter_of(reason, topic, since, until, sender, recipient, id_)
    chosen = chosen_of(ids, wanted, everything=everything, dry_run=dry_run)
    _confirm("Purge", chosen, "all", yes=yes or dry_run)

    async def run(operator: "Operator") -> Purged:
        from clarion.operating.dead_letters.purging import purge as purge_part

        total = await purge_part(operator, chosen)
        while total.next:
            part = await purge_part(operator, _after(chosen, total.next))
            total = Purged(total.purged + part.purged, part.next)
        return total

    found = run_as_operator(run)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found.purged} {'would be purged' if dry_run else 'purged'}")


async def _in_parts(replay_part: Callable[[str | None], Coroutine[Any, Any, Results]], as_json: bool) -> Results:
    """Replay part after part, print what became of each letter, and return the sums.

    End early after a part in which Kafka did not answer.
    """
    total, after = Results(0, 0, 0, []), None
    while True:
        part = await replay_part(after)
        for result in part.results:
            if as_json:
                print_json(result)
            else:
                typer.echo(f"{'✓' if result.done else '✗'} {result.id}: {result.detail}")
        total = Results(total.done + part.done, total.failed + part.failed, total.passed_over + part.passed_over, [])
        after = part.next
        if after is None or part.stopped:
            return total


def _confirm(what: str, chosen: Chosen, states: str, *, yes: bool) -> None:
    """Ask before letters are changed, and say how many there are."""
    if yes:
        return

    async def run(operator: "Operator") -> int:
        from clarion.operating.dead_letters import finding

        return await finding.count(operator.database, operator.names, chosen, states)

    count = run_as_operator(run)
    typer.confirm(f"{what} {count} dead letters?", abort=True)


def _after(chosen: Chosen, after: str | None) -> Chosen:
    return msgspec.structs.replace(chosen, after=after)


def _header(text: str) -> Header:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise typer.BadParameter(f"--header {text}: write NAME=VALUE")
    return Header(name, Content(value))


def _from_file(path: str) -> Content:
    try:
        return shown(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"--value-file {path} cannot be read: {error.strerror}") from error
