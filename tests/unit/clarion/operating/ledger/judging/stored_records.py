"""What a lane makes of a record, as the store has it, to be compared with what the ledger keeps of the record."""

from datetime import timedelta
from typing import Any

import bson
from bson.codec_options import CodecOptions

from clarion.contracts.lanes import Lane
from clarion.operating.ledger.judging.rows import Odd, Row, Source, row_of
from clarion.store import raw_documents
from services.stream.steps.decode import Entry, decode_window
from tests.unit.records import TIMESTAMP_MS, TOPIC, batch, record
from tests.unit.stream.steps.test_decode import NOW

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
SOURCE = Source(TOPIC, Lane.NORMAL, 0, 0, 1)


def entry_of(value: bytes, offset: int = 7) -> Entry:
    """As the lane has it, in a topic of one partition."""
    decoded = decode_window([batch([value], offset)], Lane.NORMAL, 0, 1, NOW)
    (entry,) = decoded.entries.values()
    return entry


def document_of(value: bytes, offset: int = 7) -> dict[str, Any]:
    """As the store has it."""
    (raw,) = raw_documents.encode([entry_of(value, offset)], Lane.NORMAL, NOW, NOW + timedelta(days=30))
    return bson.decode(raw.raw, OPTIONS)


def row(value: bytes | None, offset: int = 7, source: Source = SOURCE, **more: Any) -> Row | Odd:
    return row_of(record(value, offset, **more), 0, source, NOW)


__all__ = ["NOW", "SOURCE", "TIMESTAMP_MS", "document_of", "entry_of", "row"]
