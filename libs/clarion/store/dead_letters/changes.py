"""Changes dead letters: claims one for a replay, notes what came of it, edits it, purges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from pymongo import ReturnDocument, UpdateOne

from clarion.store.dead_letters.letters import HISTORY, Edited, Letter, State, content_fields, letter_of
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked

# A replay that is under way for so long was interrupted: it takes a second, and at most 20 s until Kafka answers.
CLAIM_S: Final = 60.0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Send:
    """What came of sending a letter's content: the `place` at which Kafka has it, or the `error`.

    `state` is where the letter stands afterwards. One that is still REPLAYING may have been sent or not: it may be
    claimed again at once.
    """

    id: str
    claim: str
    replays: int
    at: datetime
    by: str
    state: State
    place: str = ""
    error: str = ""


@asked
async def claim(letters: Collection, id_: str, token: str, now: datetime, *, states: Sequence[State]) -> Letter | None:
    """Claim a letter for a replay, if it is in one of `states`; return it with its content, or None.

    A replay that was interrupted is claimed as the same replay: what it has sent already is known by its number.
    """
    free: list[Document] = [
        {"state": {"$in": [str(state.value) for state in states]}},
        {"state": State.REPLAYING, "claimed_at": {"$lt": now - timedelta(seconds=CLAIM_S)}},
    ]
    is_again = {"$eq": ["$state", str(State.REPLAYING.value)]}
    change: Document = {
        "replays": {"$cond": [is_again, "$replays", {"$add": ["$replays", 1]}]},
        "state": str(State.REPLAYING.value),
        "claim": token,
        "claimed_at": now,
        "sent": {
            "sha256": {"$ifNull": ["$edited.sha256", "$sha256"]},
            "notification": {"$ifNull": ["$edited.notification", "$notification", None]},
        },
    }
    found = await letters.find_one_and_update(
        {"_id": id_, "$or": free}, [{"$set": change}], return_document=ReturnDocument.AFTER
    )
    return letter_of(found) if found else None


async def note(letters: Collection, sends: Sequence[Send]) -> None:
    """Note what came of sending letters. Noting the same again changes nothing. Raises one of `database.TRANSIENT`.

    A replay that has died meanwhile stays kept.
    """
    writes: list[UpdateOne] = []
    for send in sends:
        change: Document = {"$set": {"state": str(send.state.value)}, "$unset": {"claim": "", "claimed_at": ""}}
        if send.state is State.REPLAYING:
            change = {"$set": {"claimed_at": _LONG_AGO}}
        writes.append(UpdateOne({"_id": send.id, "claim": send.claim}, change))
        told = {"claim": send.claim, "at": send.at, "by": send.by, "replays": send.replays}
        told |= {"place": send.place} if send.place else {"error": send.error}
        pushed: Document = {"$push": {"sends": {"$each": [told], "$slice": -HISTORY}}}
        writes.append(UpdateOne({"_id": send.id, "sends.claim": {"$ne": send.claim}}, pushed))
    await database.write(letters, writes)


@asked
async def edit(letters: Collection, id_: str, edited: Edited | None) -> bool:
    """Have a letter's replays send what was `edited` instead of what the record had; None undoes that.

    Returns False, and changes nothing, while a replay is under way or unfinished: its repetition must send the same as
    before. The original stays.
    """
    query: Document = {"_id": id_, "state": {"$ne": State.REPLAYING}}
    change: Document = {"$unset": {"edited": ""}}
    if edited is not None:
        fields: Document = {"by": edited.by, "at": edited.at, "whole": edited.whole, **content_fields(edited.content)}
        fields["sha256"] = sha256(edited.content.value).hexdigest()
        fields |= {"notification": edited.notification} if edited.notification else {}
        change = {"$set": {"edited": fields}}
    return (await letters.update_one(query, change)).matched_count == 1


@asked
async def purge(letters: Collection, ids: Sequence[str], now: datetime) -> int:
    """Delete letters, except those that are being replayed now; return how many."""
    is_free: list[Document] = [
        {"state": {"$ne": State.REPLAYING}},
        {"claimed_at": {"$lt": now - timedelta(seconds=CLAIM_S)}},
    ]
    return (await letters.delete_many({"_id": {"$in": list(ids)}, "$or": is_free})).deleted_count
