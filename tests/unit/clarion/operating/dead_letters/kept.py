"""A dead letter as it is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

from clarion.contracts.records.dead_letters import Facts, Reason
from clarion.store.dead_letters.letters import Content, Edited, Letter, Named, State

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
GOOD = b'{"type": "a", "message": "m", "recipient": "ann", "sender": "s"}'


def content(value: bytes = b"x", key: bytes | None = b"ann") -> Content:
    return Content(value, key, [("traceparent", b"t")])


def edited(value: bytes = GOOD, *, whole: bool = True) -> Edited:
    return Edited(content(value), whole, None, "op", NOW)


def letter(reason: Reason = Reason.INVALID, topic: str = "notifications.low", **fields: Any) -> Letter:
    facts = Facts(reason, "no", topic, 2, 7, 1, NOW, NOW, "0" * 64)
    known: dict[str, Any] = {
        "id": f"{topic}/2/7/00000000", "state": State.KEPT, "at": NOW, "facts": facts, "named": Named(), "whole": True,
        "size": 1, "replays": 0, "content": content(), "edited": None, "deaths": [], "sends": [], "claimed_at": None,
        "purge_at": NOW + timedelta(days=30),
    }  # fmt: skip
    return Letter(**known | fields)
