"""How much of each topic this store has, and of which topic of that name. A topic's document is never deleted.

`topic_id` is the broker's. When it changes, the topic was made anew: `generation` rises, and `reached` begins again.
`partitions` is the number that recipients are placed by. After the topic was grown the broker has more for a while;
once they are taken in, `partitions` and `generation` rise together. `reached` says, for each partition, that everything
below that offset is in this store. It is written before the same offset is committed to Kafka, so it is never behind a
commit, unless the store was restored from an older backup. Then `again` says up to where each partition is read again:
what is below it was stored before, in a store that is gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymongo.errors import DuplicateKeyError

from clarion.store.driver.database import Collection, Database, Document

PAST_IDS: Final = 8  # how many ids of earlier topics of the name are kept: a broker that lags may still report them


@dataclass(frozen=True, slots=True)
class Known:
    """A topic as the store knows it. `generation` is part of every `ord`, and `past` has ids of earlier topics.

    `began` is the generation in which the topic was made. It is part of every id that is made from a record's place, so
    that a record that is read again after the topic has grown gets the same id.
    """

    topic: str
    topic_id: str
    generation: int
    partitions: int
    reached: Mapping[int, int] = field(default_factory=dict[int, int])
    past: tuple[str, ...] = ()
    began: int = 0
    again: Mapping[int, int] = field(default_factory=dict[int, int])

    def is_read_again(self) -> bool:
        """Return whether the store still lacks some of what it had before it was restored."""
        return any(self.reached.get(number, 0) < end for number, end in self.again.items())


class Placing(NamedTuple):
    """The generation that is part of each `ord` of a topic, and by how many partitions its recipients are placed."""

    generation: int
    partitions: int


def collection(database: Database) -> Collection:
    """Return the collection of topics."""
    return database["topics"]


async def find(topics: Collection, topic: str) -> Known | None:
    """Return what the store knows of `topic`; None when no process has read that topic with this store."""
    document = await topics.find_one({"_id": topic})
    return _known(document) if document else None


async def placings(topics: Collection, names: Iterable[str]) -> dict[str, Placing]:
    """Return the placings of those topics in `names` that a stream process has read with this store."""
    found = topics.find({"_id": {"$in": list(names)}}, {"generation": 1, "partitions": 1})
    return {document["_id"]: Placing(document["generation"], document["partitions"]) async for document in found}


async def create(topics: Collection, known: Known) -> bool:
    """Store what is known of a topic that is new to the store; return False when another process was faster."""
    try:
        await topics.insert_one({"_id": known.topic, **_fields(known)})
    except DuplicateKeyError:
        return False
    return True


async def replace(topics: Collection, before: Known, after: Known) -> bool:
    """Replace `before` by `after`; return False when another process has changed it first.

    So when several processes have seen the same `before`, only one replaces it. If it is still the same topic, the
    stored `reached` and `again` stay.
    """
    query: Document = {"_id": before.topic, "topic_id": before.topic_id, "generation": before.generation}
    query["partitions"] = before.partitions
    fields = _fields(after)
    if after.topic_id == before.topic_id:
        del fields["reached"], fields["again"]
    return (await topics.update_one(query, {"$set": fields})).matched_count == 1


async def read_again(topics: Collection, known: Known, ends: Mapping[int, int]) -> None:
    """Note that the topic is read again up to `ends`, because the store was restored."""
    change = {"$max": {f"again.{number}": end for number, end in ends.items()}}
    await topics.update_one({"_id": known.topic, "topic_id": known.topic_id}, change)


async def reach(topics: Collection, known: Known, offsets: Mapping[int, int], at_least: Mapping[int, int]) -> bool:
    """Note that the store has everything below `offsets`; return False, and note nothing, if that may not be so.

    That is when the topic was made anew, so that its id differs, or the store was restored, so that it has less than
    `at_least`, which it had before. A generation that has risen makes no difference: what was stored is still stored.
    """
    query: Document = {"_id": known.topic, "topic_id": known.topic_id}
    query |= {f"reached.{number}": {"$gte": offset} for number, offset in at_least.items() if offset}
    change = {"$max": {f"reached.{number}": offset for number, offset in offsets.items()}}
    return (await topics.update_one(query, change)).matched_count == 1


def _fields(known: Known) -> Document:
    return {
        "topic_id": known.topic_id,
        "generation": known.generation,
        "partitions": known.partitions,
        "reached": {str(number): offset for number, offset in known.reached.items()},
        "past": list(known.past),
        "began": known.began,
        "again": {str(number): end for number, end in known.again.items()},
    }


def _known(document: Document) -> Known:
    reached = {int(number): offset for number, offset in document["reached"].items()}
    return Known(
        document["_id"],
        document["topic_id"],
        document["generation"],
        document["partitions"],
        reached,
        tuple(document["past"]),
        document.get("began", document["generation"]),
        {int(number): end for number, end in document.get("again", {}).items()},
    )
