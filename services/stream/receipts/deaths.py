"""Read records of the topic `dead-letters`, whoever has written them. Pure."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.record_batch import Record, RecordBatch
from clarion.contracts import limits, times
from clarion.contracts.records import dead_letters
from clarion.contracts.records.dead_letters import OWN, Facts, Reason, letter_id
from clarion.store.dead_letters.letters import Content, Death, Named
from clarion.store.dead_letters.naming import named

_FOREIGN = "the record has no headers of a dead letter: none of Clarion's processes has written it to this topic"


def deaths_of(batches: Iterable[RecordBatch]) -> Iterator[Death]:
    """Yield a death for each record, and for each run of records that cannot be read.

    None of them becomes a dead letter again: what is wrong with it is said in its letter.
    """
    for batch in batches:
        for lost in batch.unreadable:
            yield _foreign(lost, batch.partition, f"offsets {lost.offset} to {lost.last} cannot be read: {lost.error}")
        for record in batch.records:
            facts = dead_letters.facts(record.headers)
            yield _foreign(record, batch.partition, _FOREIGN) if facts is None else _death(record, facts)


def _death(record: Record, facts: Facts) -> Death:
    value = (record.value or b"")[: limits.DEAD_LETTER_BYTES]
    own = [(name, content) for name, content in record.headers if name not in OWN]
    content = Content(value, record.key, own)
    id_ = letter_id(facts.topic, facts.partition, facts.offset, facts.sha256)
    return Death(
        id=id_,
        at=times.from_ms(record.timestamp),
        facts=facts,
        content=content,
        named=Named() if facts.reason is Reason.UNREADABLE else named(value, record.key),
        whole=sha256(value).hexdigest() == facts.sha256,
    )


def _foreign(record: Record | Unreadable, partition: Partition, error: str) -> Death:
    """Return the death of what is no dead letter but lies among them: its place is the one where it lies."""
    value, at = record.value or b"", times.from_ms(record.timestamp)
    key = record.key and record.key[: limits.DEAD_LETTER_KEY_BYTES]
    headers, left_out = dead_letters.within(record.headers)
    facts = Facts(
        reason=Reason.FOREIGN,
        error=error[: limits.DEAD_LETTER_ERROR_CHARS],
        topic=partition.topic,
        partition=partition.number,
        offset=record.offset,
        attempts=1,
        first_seen=at,
        last_seen=at,
        sha256=sha256(value).hexdigest(),
        left_out=left_out,
    )
    id_ = letter_id(facts.topic, facts.partition, facts.offset, facts.sha256)
    cut = value[: limits.DEAD_LETTER_BYTES]
    return Death(id_, at, facts, Content(cut, key, headers), named(cut, key), whole=len(cut) == len(value))
