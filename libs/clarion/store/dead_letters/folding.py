"""Folds records of the topic of dead letters into letters. Folding the same record again changes nothing."""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne

from clarion.contracts import times
from clarion.contracts.ids import replayed_id
from clarion.store.dead_letters.letters import HISTORY, KEEP, Death, State, content_fields
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked
from clarion.store.driver.isolating import WriteFailure

_TELLING = ["sha256", "notification", "sent"]
_ERROR_CHARS = 300  # of each death in a letter's history


@asked
async def fold(letters: Collection, deaths: Sequence[Death]) -> list[WriteFailure]:
    """Fold `deaths`; return those that MongoDB can never take. Raises one of `database.TRANSIENT`.

    A replay that died again is counted in its letter. When that letter was purged meanwhile, or does not have this
    content, which somebody may have sent with copied headers, the death makes a letter of its own.
    """
    roots = list({death.facts.letter for death in deaths if death.facts.letter})
    known: dict[str, Document] = {}
    if roots:
        known = {found["_id"]: found async for found in letters.find({"_id": {"$in": roots}}, _TELLING)}
    return await database.write(letters, [_write(death, known) for death in deaths])


def _write(death: Death, known: Mapping[str, Document]) -> UpdateOne:
    letter = death.facts.letter
    found = known.get(letter) if letter else None
    return _died_again(death) if found and _is_of(death, found) else _kept(death)


def _is_of(death: Death, letter: Document) -> bool:
    """Return whether a death is of a replay of `letter`.

    A record that was sent on to another partition, or was held until it was due, is encoded anew on its way, and has an
    id since then.
    """
    sent: Document = letter.get("sent", {})
    if death.facts.sha256 in (letter["sha256"], sent.get("sha256")):
        return True
    ids = (letter.get("notification"), sent.get("notification"), replayed_id(letter["_id"]))
    return death.named.notification is not None and death.named.notification in ids


def _kept(death: Death) -> UpdateOne:
    """Return the write that makes a letter, unless there is one."""
    facts = death.facts
    document: Document = {
        "state": str(State.KEPT.value),
        "at": death.at,
        "reason": str(facts.reason.value),
        "error": facts.error,
        "topic": facts.topic,
        "partition": facts.partition,
        "offset": facts.offset,
        "attempts": facts.attempts,
        "first_seen": times.truncate(facts.first_seen),
        "last_seen": times.truncate(facts.last_seen),
        "sha256": facts.sha256,
        "left_out": facts.left_out,
        "whole": death.whole,
        "size": len(death.content.value),
        "replays": 0,
        "deaths": [_history(death)],
        "purge_at": death.at + KEEP,
        **death.named.fields(),
        **content_fields(death.content),
    }
    return UpdateOne({"_id": death.id}, {"$setOnInsert": document}, upsert=True)


def _died_again(death: Death) -> UpdateOne:
    """Return the write that counts the death of a replay, unless it is counted already.

    A store that was restored from a backup may know of fewer replays than the record says.
    """
    facts = death.facts
    is_new = [{"replays": {"$lt": facts.replays}}, {"replays": facts.replays, "state": {"$ne": State.KEPT}}]
    change: Document = {
        "state": str(State.KEPT.value),
        "at": death.at,
        "reason": str(facts.reason.value),
        "error": facts.error,
        "attempts": facts.attempts,
        "last_seen": times.truncate(facts.last_seen),
        "replays": facts.replays,
        "purge_at": death.at + KEEP,
    }
    return UpdateOne(
        {"_id": facts.letter, "$or": is_new},
        {
            "$set": change,
            "$unset": {"claim": "", "claimed_at": ""},
            "$push": {"deaths": {"$each": [_history(death)], "$slice": -HISTORY}},
        },
    )


def _history(death: Death) -> Document:
    facts = death.facts
    return {
        "at": death.at,
        "reason": str(facts.reason.value),
        "error": facts.error[:_ERROR_CHARS],
        "place": f"{facts.topic}/{facts.partition}/{facts.offset}",
        "replays": facts.replays,
    }
