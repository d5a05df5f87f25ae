"""Times in records, frames and answers: RFC 3339, UTC, milliseconds, as BSON dates are no finer."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

_LAST_MS: Final = 253_402_300_799_999  # the last of the year 9999, and of `datetime`
_encoder: Final = msgspec.json.Encoder()
_WITH_FRACTION: Final = len('"2026-11-24T01:02:03.004000Z"')


def now() -> datetime:
    """Return the current time, cut to milliseconds so that MongoDB keeps it unchanged."""
    return _remembered(time.time_ns() // 1_000_000)


def truncate(moment: datetime) -> datetime:
    """Return a time cut to milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def from_ms(milliseconds: int) -> datetime:
    """Return the timestamp of a Kafka record as a datetime; one outside 1970 to 9999 as the nearest one inside."""
    milliseconds = min(max(milliseconds, 0), _LAST_MS)
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


_remembered: Final = lru_cache(1)(from_ms)  # a busy process calls `now` many times within a millisecond


def rfc3339(moment: datetime) -> str:
    """Return a time as text, such as `2026-11-24T01:02:03.004Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text = _encoder.encode(moment)  # in quotes; six digits of a second, or none. `isoformat` takes seven times as long
    return (text[1:24] + b"Z" if len(text) == _WITH_FRACTION else text[1:20] + b".000Z").decode()
