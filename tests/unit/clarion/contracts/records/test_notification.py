"""Notifications as records: their fields."""

import msgspec
import pytest

from clarion.contracts.ids import new_id
from clarion.contracts.records import notification
from services.stream.steps import fast_decode


@pytest.mark.parametrize("name", ["id", "type"])
def test_an_id_or_a_type_with_a_line_break_is_refused(name: str) -> None:
    item = {"type": "a", "message": "m", "recipient": "r", "sender": "s", "id": new_id()}
    assert notification.decode(msgspec.json.encode(item)).id == item["id"]
    for read in (notification.decode, fast_decode.decode):
        with pytest.raises(notification.Invalid):
            read(msgspec.json.encode(item | {name: item[name] + "\n"}))
