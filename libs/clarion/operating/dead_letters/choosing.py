"""Which dead letters an operator means: checks of the choice, the query for it, and cursors of pages. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from clarion.contracts.api.dead_letters import Chosen, Filter
from clarion.contracts.records.notification import Invalid
from clarion.contracts.topics import Names
from clarion.operating import cursors
from clarion.store.dead_letters.letters import Letter, State
from clarion.store.dead_letters.queries import Position
from clarion.store.driver.database import Document

Shown = Literal["kept", "replayed", "all"]

# By what is to be shown. What is being replayed, or was interrupted in that, still needs somebody.
STATES: Final[Mapping[str, tuple[State, ...]]] = {
    "kept": (State.KEPT, State.REPLAYING),
    "replayed": (State.REPLAYED,),
    "all": tuple(State),
}
_ABOUT_IDS: Final = 20


def check(chosen: Chosen) -> None:
    """Raise `Invalid` unless it is clear which letters are meant: no field that is left out ever means all of them."""
    ways = bool(chosen.ids) + (chosen.filter is not None) + chosen.all
    if ways > 1:
        raise Invalid("", "ambiguous", None, "give one of `ids`, `filter` and `all`")
    if not ways or chosen.filter == Filter():
        raise Invalid(
            "", "required", None, "give `ids` or a `filter` that says something, or `all` to mean all of them"
        )
    if chosen.again and not chosen.ids:
        raise Invalid("/again", "excluded", None, "`again` goes with `ids` only: name what to replay once more")


def query_of(wanted: Filter, names: Names, states: tuple[State, ...]) -> Document:
    """Return the query that finds the letters of a filter."""
    query: Document = {"state": {"$in": [str(state.value) for state in states]}}
    exact = {"notification": wanted.notification and wanted.notification.lower()}
    exact |= {"recipient": wanted.recipient, "sender": wanted.sender}
    exact |= {
        "reason": wanted.reason and str(wanted.reason.value),
        "topic": wanted.topic and topic(wanted.topic, names),
    }
    query |= {name: value for name, value in exact.items() if value is not None}
    bounds: Document = {"$gte": wanted.since} if wanted.since else {}
    bounds |= {"$lt": wanted.until} if wanted.until else {}
    return query | ({"at": bounds} if bounds else {})


def topic(name: str, names: Names) -> str:
    """Return a topic's whole name; `name` may be without the prefix."""
    return name if name.startswith(names.prefix) else names.prefix + name


def about(chosen: Chosen) -> dict[str, object]:
    """Return what the audit log says of a choice."""
    if chosen.ids:
        return {"ids": chosen.ids[:_ABOUT_IDS], "count": len(chosen.ids)}
    if chosen.filter is None:
        return {"all": True}
    wanted = chosen.filter
    fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {"filter": {name: value for name, value in fields.items() if value is not None}}


def encode_cursor(began: datetime, position: Position) -> str:
    """Return the cursor of what comes after a position, of a list or a replay that was begun at that moment."""
    return cursors.encode_cursor(began, cursors.encode_cursor(position.at, position.id))


def decode_cursor(text: str, pointer: str = "/after") -> tuple[datetime, Position]:
    """Return what a cursor stands for. Raise `Invalid` for a text that no page has given."""
    began, position = cursors.decode_cursor(text, pointer)
    return began, Position(*cursors.decode_cursor(position, pointer))


def position_of(letter: Letter) -> Position:
    """Return a letter's position in a list."""
    return Position(letter.at, letter.id)
