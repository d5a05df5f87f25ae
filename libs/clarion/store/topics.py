"""What this store has of each topic, and of which topic of that name: one document a topic, never deleted.

`topic_id` is the broker's. When it changes, the topic was made anew: `generation` rises, and nothing is reached.
`partitions` is how many recipients are placed by. The broker may have more for a while, after the topic was grown; once
they are taken in, `partitions` and `generation` rise together. `reached` says, per partition, that everything below
that offset is in this store. It is written before Kafka is told the same offset in a commit, so it is never behind a
commit, unless the store was restored from an older backup.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymongo.errors import DuplicateKeyError

from clarion.store.driver.database import Collection, Database, Document

PAST_IDS: Final = 8  # of earlier topics of the name, which a broker that lags behind may still tell


@dataclass(frozen=True, slots=True)
class Known:
    """A topic as the store knows it. `generation` is part of every `ord`.

    `began` is the generation in which the topic was made, and part of every id that is made from a record's place: what
    is read again after the topic has grown has the same id.
    """

    topic: str
    topic_id: str
    generation: int
    partitions: int
    reached: Mapping[int, int] = field(default_factory=dict[int, int])
    past: tuple[str, ...] = ()
    began: int = 0


class Placing(NamedTuple):
    """What an `ord` and its recipient's partition go by."""

    generation: int
    partitions: int


def collection(database: Database) -> Collection:
    return database["topics"]


async def find(topics: Collection, topic: str) -> Known | None:
    document = await topics.find_one({"_id": topic})
    return _known(document) if document else None


async def placings(topics: Collection, names: Iterable[str]) -> dict[str, Placing]:
    """Of those topics that a stream process has read with this store."""
    found = topics.find({"_id": {"$in": list(names)}}, {"generation": 1, "partitions": 1})
    return {document["_id"]: Placing(document["generation"], document["partitions"]) async for document in found}


async def create(topics: Collection, known: Known) -> bool:
    """False when another process was faster."""
    try:
        await topics.insert_one({"_id": known.topic, **_fields(known)})
    except DuplicateKeyError:
        return False
    return True


async def replace(topics: Collection, before: Known, after: Known) -> bool:
    """False when another process has changed it since `before`: of several that see the same, one changes it.

    What is reached of the same topic is left as it is by now.
    """
    query: Document = {"_id": before.topic, "topic_id": before.topic_id, "generation": before.generation}
    query["partitions"] = before.partitions
    fields = _fields(after)
    if after.topic_id == before.topic_id:
        del fields["reached"]
    return (await topics.update_one(query, {"$set": fields})).matched_count == 1


async def reach(topics: Collection, known: Known, offsets: Mapping[int, int], at_least: Mapping[int, int]) -> bool:
    """Note what the store has by now; False, and nothing is noted, when it is not what this process has read with.

    That is when the topic is another one, or the store knows of less than `at_least`, which it had before. The topic's
    generation may have risen: what was stored before is stored.
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
    )
