"""Dead letters as tables for a terminal."""

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clarion.contracts.api.contents import Content
from clarion.contracts.api.dead_letters import Details, Page, Record

_STATES: Final = {"kept": "red", "replaying": "yellow", "replayed": "green"}
_SHOWN_CHARS: Final = 4_000  # of a value; `--json` prints all of it


def summaries(page: Page) -> RenderableType:
    """Return a page of letters as a table."""
    if not page.items:
        return Text("there are no such dead letters")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("died", "state", "reason", "tries", "replays", "recipient", "id and error"):
        table.add_column(column, no_wrap=column != "id and error", overflow="fold")
    for item in page.items:
        told = Text.assemble(item.id, "\n", (printable(item.error), "dim"))
        if item.obstacle:
            told.append(f"\ncannot be replayed: {printable(item.obstacle)}", "yellow")
        table.add_row(
            item.at[:19].replace("T", " "),
            Text(item.state + (", edited" if item.edited else ""), _STATES.get(item.state, "")),
            item.reason,
            str(item.attempts),
            str(item.replays),
            Text(printable(item.recipient or "")),
            told,
        )
    return Group(table, Text(f"more: --after {page.next}", "dim")) if page.next else table


def details_of(letter: Details) -> RenderableType:
    """Return a letter as a table of its fields, what it holds, and its history."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    rows = {
        "id": letter.id,
        "state": letter.state,
        "died": f"{letter.at}, first seen {letter.first_seen}, purged {letter.purge_at}",
        "reason": f"{letter.reason}: {letter.error}",
        "from": f"{letter.topic}, partition {letter.partition}, offset {letter.offset}",
        "tries": f"{letter.attempts}; replayed {letter.replays} times",
        "notification": letter.notification,
        "type": letter.type,
        "sender": letter.sender,
        "recipient": letter.recipient,
        "left out": f"{letter.left_out} headers, for which there was no room" if letter.left_out else None,
        "no replay": letter.obstacle,
        "edited": f"{letter.edited_at} by {letter.edited_by}" if letter.edited else None,
        "still wrong": letter.fault,
    }
    for name, value in rows.items():
        if value:
            facts.add_row(name, Text(printable(value)))
    parts: list[RenderableType] = [facts, Text("\noriginal", "bold"), _record(letter.original)]
    if letter.edited:
        parts += [Text("\na replay sends", "bold"), _record(letter.replayed)]
    parts += [Text("\nhistory", "bold"), _history(letter)]
    return Group(*parts)


def printable(text: str) -> str:
    """Return a text without what a terminal does not print: a stranger wrote it, and may send escape sequences."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _record(record: Record) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("key", Text(_text(record.key)))
    for header in record.headers:
        table.add_row("header", Text(f"{printable(header.name)} = {_text(header.value)}"))
    table.add_row("value", Text(_text(record.value)))
    return table


def _text(content: Content | None) -> str:
    if content is None:
        return "–"
    text = printable(content.text[:_SHOWN_CHARS])
    cut = f" … ({len(content.text)} characters; --json has all)" if len(content.text) > _SHOWN_CHARS else ""
    return f"{text}{cut}" + (" (base64)" if content.encoding == "base64" else "")


def _history(letter: Details) -> RenderableType:
    lines = [(one.at, f"died at {one.place} ({one.reason}): {one.error}") for one in letter.deaths]
    for one in letter.sends:
        became = f"is at {one.place}" if one.place else str(one.error)
        lines.append((one.at, f"replay {one.replays} by {one.by}: {became}"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for at, line in sorted(lines):
        table.add_row(at[:19].replace("T", " "), Text(printable(line)))
    return table
