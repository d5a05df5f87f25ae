"""Edits what the replays of a dead letter send. The original stays as it came."""

from typing import Any

from clarion.contracts import limits, times
from clarion.contracts.api.contents import Header, read
from clarion.contracts.api.dead_letters import Details, Edit
from clarion.contracts.records.dead_letters import OWN, Headers, size_of
from clarion.contracts.records.notification import Invalid
from clarion.operating.audit_log import Operator, audited
from clarion.operating.dead_letters.finding import find
from clarion.operating.dead_letters.showing import details
from clarion.store.dead_letters import changes, letters
from clarion.store.dead_letters.letters import Content, Edited, Letter
from clarion.store.dead_letters.naming import named


class Busy(Exception):
    """The letter is being replayed."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"{id_} is being replayed, or that was interrupted: finish the replay first")


async def edit(operator: Operator, name: str, change: Edit) -> Details:
    """Edit a letter and return it. Raise `UnknownLetter`, `Invalid`, `Busy`, or one of `database.TRANSIENT`."""
    stored = letters.collection(operator.database)
    letter = await find(stored, name)
    edited = edited_by(change, letter, operator.who)
    about = {"ids": [letter.id], "changed": _changed(change)}
    async with audited(operator, "dead_letters.edit", about):
        if not await changes.edit(stored, letter.id, edited):
            raise Busy(letter.id)
    return details(await find(stored, letter.id), operator.names, times.now())


def edited_by(change: Edit, letter: Letter, who: str) -> Edited | None:
    """Return what a letter's replays send after a change; None when they send the original again. Raise `Invalid`."""
    changed = _changed(change)
    if not changed:
        raise Invalid("", "required", None, "give what to change: `value`, `key`, `headers`, `no_key` or `undo`")
    if change.undo:
        if len(changed) > 1:
            raise Invalid("/undo", "excluded", None, "`undo` takes all edits back, and goes with nothing else")
        return None
    if change.no_key and change.key is not None:
        raise Invalid("/no_key", "excluded", None, "give either `key` or `no_key`")
    before = letter.replayed
    value = before.value if change.value is None else read(change.value, "/value")
    key = None if change.no_key else before.key if change.key is None else read(change.key, "/key")
    headers = before.headers if change.headers is None else _headers(change.headers)
    _check_size("/value", len(value), limits.TOPIC_RECORD_BYTES)
    _check_size("/key", len(key or b""), limits.DEAD_LETTER_KEY_BYTES)
    _check_size("/headers", size_of(headers), limits.HEADERS_BYTES)
    whole = letter.replays_whole or change.value is not None
    return Edited(Content(value, key, headers), whole, named(value, key).notification, who, times.now())


def _changed(change: Edit) -> list[str]:
    given = {"value": change.value, "key": change.key, "headers": change.headers}
    flags = {"no_key": change.no_key, "undo": change.undo}
    return [*(name for name, one in given.items() if one is not None), *(name for name, yes in flags.items() if yes)]


def _headers(given: list[Header]) -> Headers:
    for number, header in enumerate(given):
        if header.name in OWN:
            detail = f"the header {header.name} tells the letter's history, and is set by the replay"
            raise Invalid(f"/headers/{number}/name", "excluded", None, detail)
    headers: list[Any] = [  # Kafka has a null as well, which a record may have come with
        (header.name, None if header.value is None else read(header.value, f"/headers/{number}/value"))
        for number, header in enumerate(given)
    ]
    return headers


def _check_size(pointer: str, size: int, most: int) -> None:
    if size > most:
        raise Invalid(pointer, "too_large", most, f"it has {size} bytes: it may have at most {most}")
