"""Bytes of every release stay readable."""

from pathlib import Path

import pytest

from clarion.contracts.api import frames
from clarion.contracts.records import deliveries, notification, receipts
from tests.conftest import repository

RELEASES = repository() / "tests" / "data" / "records"
READERS = {
    "notification": notification.decode,
    "delivery": deliveries.decode,
    "receipt": receipts.decode,
    "client": frames.decode_client,
    "server": frames.decode_server,
}


@pytest.mark.parametrize("path", sorted(RELEASES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_bytes_stay_decodable(path: Path) -> None:
    """`<kind>-<release>.jsonl`: one value a line, written by that release and never changed."""
    read = READERS[path.stem.partition("-")[0]]
    lines = path.read_bytes().splitlines()
    assert lines
    for line in lines:
        read(line)
