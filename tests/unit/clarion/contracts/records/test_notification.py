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


@pytest.mark.parametrize("word", ["SECRET", "SECRET' - at `$.priority", "it's - at `SECRET`"])
def test_what_is_wrong_with_a_record_quotes_nothing_of_it(word: str) -> None:
    """The text is logged, and no log may say what a notification says."""
    item = {"type": "a", "message": "m", "recipient": "r", "sender": "s", "priority": word}
    with pytest.raises(notification.Invalid) as refused:
        notification.decode(msgspec.json.encode(item))
    assert str(refused.value) == "body: Invalid enum value - at `$.priority`"
