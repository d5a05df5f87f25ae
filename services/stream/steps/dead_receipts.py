"""Turn dead letters that name their notification into receipts `dead`, so that its sender hears of it. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from clarion.contracts import trace
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import DeadLetter
from clarion.contracts.records.notification import Id, Moment, Name, Type
from clarion.contracts.records.receipts import Dead, Op, Receipt


class _Named(msgspec.Struct, gc=False):
    """The fields of a record that a receipt needs. They must be readable, whatever else is wrong with it."""

    id: Id
    recipient: Name
    sender: Name
    type: Type
    priority: Lane = Lane.NORMAL
    created_at: Moment | None = None


_ERROR_CHARS: Final = 300
_decoder: Final = msgspec.json.Decoder(_Named)


def dead_receipts(letters: Iterable[DeadLetter], now: datetime) -> list[Receipt]:
    """Return a receipt for each letter that says whose notification it was.

    A record without an id makes none: its id is made from its place in the topic, and its sender does not know that.
    """
    found: list[Receipt] = []
    for letter in letters:
        try:
            named = _decoder.decode(letter.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        dead = Dead(
            sender=named.sender,
            type=named.type,
            priority=named.priority,
            created_at=named.created_at or letter.first_seen,
            reason=letter.reason,
            error=letter.error[:_ERROR_CHARS],
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
        )
        own = trace.of(letter.own)
        found.append(
            Receipt(named.recipient, Op.DEAD, [named.id], now, dead=dead, traceparent=str(own) if own else None)
        )
    return found
