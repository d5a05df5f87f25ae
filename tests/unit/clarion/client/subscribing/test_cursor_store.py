"""A stored position that is damaged, by the table that the browser's SDK keeps to as well."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clarion.client import JsonFile, Subscriber
from clarion.client.subscribing.cursor_store import InMemory, Position
from clarion.contracts.lanes import Lane
from tests.conftest import repository

TABLE: list[dict[str, Any]] = msgspec.json.decode((repository() / "tests" / "conformance" / "stored.json").read_bytes())


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case["name"])
async def test_a_damaged_position_is_mended_and_warned_of_once(
    case: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ann.json"
    path.write_text(case["stored"])
    wanted = Position(
        {Lane(lane): (one[0], one[1]) for lane, one in case["cursors"].items()}, case["since"], **case.get("owner", {})
    )
    with caplog.at_level(logging.WARNING, "clarion.client"):
        assert await JsonFile(path).load() == wanted
        assert len(caplog.records) == case["damaged"]
        assert await JsonFile(path).load() == wanted
        assert len(caplog.records) == case["damaged"], "it was said before"


@pytest.mark.parametrize("text", [b"\xff\xfe{}", b"[" * 100_000, b'{"cursors": {"high": [0, 3]'])
async def test_no_file_ends_a_subscriber(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    path.write_bytes(text)
    async with Subscriber("http://127.0.0.1:1", token="t", storage=JsonFile(path)):
        assert msgspec.json.decode(path.read_bytes())["cursors"] == {}


async def test_a_storage_of_the_applications_own_is_checked_as_well(caplog: pytest.LogCaptureFixture) -> None:
    storage = InMemory()
    await storage.save(Position({Lane.HIGH: (0, 3), Lane.LOW: (32_768, 1)}, "x" * 41))
    async with Subscriber("http://127.0.0.1:1", token="t", storage=storage) as s:
        assert s._progress.position == Position({Lane.HIGH: (0, 3)}, None)
    assert await storage.load() == Position({Lane.HIGH: (0, 3)}, None)
    assert "left out: the cursor of low, since" in caplog.text
