"""Why a dead letter cannot be replayed, and what is still wrong with what would be. Pure."""

from datetime import datetime

from clarion.contracts import limits
from clarion.contracts.lanes import LANES
from clarion.contracts.records import notification, receipts
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.notification import Invalid
from clarion.contracts.topics import Names
from clarion.store.dead_letters.letters import Content, Letter


def obstacle(letter: Letter, names: Names) -> str:
    """Return, in words, why a letter cannot be replayed; empty when it can."""
    if letter.facts.reason is Reason.UNREADABLE:
        return "its value is a whole batch that cannot be read, and no record: publish what was in it anew"
    if letter.facts.reason is Reason.FOREIGN:
        return "none of Clarion's processes wrote it, so it is not known from which topic it came"
    if not letter.replays_whole:
        return (
            f"its value was cut at {limits.DEAD_LETTER_BYTES} bytes: edit it to give a whole value, or publish it anew"
        )
    if letter.facts.topic not in _replayable(names):
        return f"{letter.facts.topic} is no topic of notifications or receipts with this CLARION_PREFIX"
    return ""


def fault(content: Content, topic: str, names: Names, now: datetime) -> str:
    """Return, in words, what the contract of its topic finds wrong with a content; empty when that is nothing.

    What only a lane finds, such as an id that was used before, is not found here.
    """
    try:
        if topic == names.receipts:
            receipts.decode(content.value, now)
        elif topic in _replayable(names):
            notification.check_headers(content.headers)
            notification.decode(content.value)
    except Invalid as error:
        return str(error)
    return ""


def _replayable(names: Names) -> set[str]:
    return {names.scheduled, names.receipts, *map(names.notifications, LANES)}
