"""Numbers in `data` arrive as docs/contracts.md says, by each of the ways in."""

from datetime import UTC, datetime

import msgspec
import pytest

from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.notification import Invalid
from clarion.security.tokens import Claims
from services.ingest import submission
from services.ingest.submission import Rejected
from services.stream.steps import fast_decode
from services.stream.steps.decode import decode_window
from tests.unit.records import batch

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CLAIMS = Claims("s", frozenset({"publish"}), 0.0)


def record(number: bytes) -> bytes:
    return b'{"type":"t","message":"m","recipient":"r","sender":"s","data":{"n":%b}}' % number


def posted(number: bytes) -> bytes:
    """As ingest hands it to Kafka."""
    said = submission.decode(record(number))
    (item,) = submission.notifications_of(said, CLAIMS, None, NOW)
    return notification.encode(item)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"-0", b"0"),
        (b"-0.0", b"-0.0"),
        (b"1E2", b"100.0"),
        (b"0.1234567890123456789", b"0.12345678901234568"),
        (b"9007199254740993", b"9007199254740993"),
        (b"-123456789012345678901234567890", b"-123456789012345678901234567890"),
        (b'"0.1234567890123456789"', b'"0.1234567890123456789"'),
    ],
)
def test_a_number_is_shown_as_the_contract_says(sent: bytes, shown: bytes) -> None:
    for value in (record(sent), posted(sent)):
        (entry,) = decode_window([batch([value])], Lane.NORMAL, 0, 1, NOW).entries.values()
        assert b'"data":{"n":%b}' % shown in entry.body
        assert deliveries.content(entry.body)[3] == msgspec.json.decode(b'{"n":%b}' % sent)


@pytest.mark.parametrize("sent", [b"1e400", b"-1e400", b"1" * 5_000, b"01", b"+1", b"NaN", b"Infinity"])
def test_what_no_number_holds_is_refused(sent: bytes) -> None:
    for read in (notification.decode, fast_decode.decode):
        with pytest.raises(Invalid):
            read(record(sent))
    with pytest.raises(Rejected):
        submission.decode(record(sent))
