"""Dead letters as operators see them. Pure."""

from datetime import datetime
from typing import Any, Final

import msgspec

from clarion.contracts.api.contents import Header, shown
from clarion.contracts.api.dead_letters import Death, Details, Record, Send, Summary
from clarion.contracts.times import rfc3339
from clarion.contracts.topics import Names
from clarion.operating.dead_letters.obstacles import fault, obstacle
from clarion.store.dead_letters.letters import Content, Letter

_SUMMARY: Final = Summary.__struct_fields__


def summary(letter: Letter, names: Names) -> Summary:
    """Return a letter as a line of a list."""
    facts, named = letter.facts, letter.named
    return Summary(
        id=letter.id,
        state=str(letter.state.value),
        at=rfc3339(letter.at),
        reason=str(facts.reason.value),
        error=facts.error,
        topic=facts.topic,
        partition=facts.partition,
        offset=facts.offset,
        attempts=facts.attempts,
        replays=letter.replays,
        first_seen=rfc3339(facts.first_seen),
        last_seen=rfc3339(facts.last_seen),
        size=letter.size,
        edited=letter.edited is not None,
        notification=named.notification,
        recipient=named.recipient,
        sender=named.sender,
        type=named.type,
        obstacle=obstacle(letter, names) or None,
    )


def details(letter: Letter, names: Names, now: datetime) -> Details:
    """Return a letter with its content."""
    brief = summary(letter, names)
    edited = letter.edited
    return Details(
        **{name: getattr(brief, name) for name in _SUMMARY},
        original=record(letter.content),
        replayed=record(letter.replayed),
        fault=fault(letter.replayed, letter.facts.topic, names, now) or None,
        edited_by=edited.by if edited else None,
        edited_at=rfc3339(edited.at) if edited else None,
        left_out=letter.facts.left_out,
        sha256=letter.facts.sha256,
        deaths=[msgspec.convert(one | {"at": rfc3339(one["at"])}, Death) for one in letter.deaths],
        sends=[msgspec.convert(one | {"at": rfc3339(one["at"])}, Send) for one in letter.sends],
        purge_at=rfc3339(letter.purge_at),
    )


def record(content: Content) -> Record:
    """Return value, key and headers of a record as JSON has them."""
    read: list[Any] = list(content.headers)  # Kafka has a null as well, which aiokafka's types do not say
    headers = [Header(name, None if value is None else shown(value)) for name, value in read]
    return Record(shown(content.value), None if content.key is None else shown(content.key), headers)
