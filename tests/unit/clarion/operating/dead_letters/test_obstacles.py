"""What cannot be replayed says so, and what is still wrong with what would be."""

import pytest

from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.topics import Names
from clarion.operating.dead_letters.obstacles import fault, obstacle
from clarion.store.dead_letters.letters import Letter
from tests.unit.clarion.operating.dead_letters.kept import GOOD, NOW, content, edited, letter

NAMES = Names()


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (letter(whole=False), "cut at 524288 bytes"),
        (letter(whole=False, edited=edited(b"x", whole=False)), "cut at 524288 bytes"),
        (letter(Reason.UNREADABLE), "a whole batch"),
        (letter(Reason.UNREADABLE, edited=edited()), "a whole batch"),
        (letter(Reason.FOREIGN, topic="dead-letters"), "none of Clarion's processes wrote it"),
        (letter(topic="deliveries"), "no topic of notifications or receipts"),
    ],
)
def test_what_cannot_be_replayed_says_why(kept: Letter, why: str) -> None:
    assert why in obstacle(kept, NAMES)


def test_other_letters_can_be_replayed() -> None:
    topics = ["notifications.urgent", "notifications.scheduled", "receipts"]
    assert [obstacle(letter(topic=topic), NAMES) for topic in topics] == ["", "", ""]
    assert obstacle(letter(whole=False, edited=edited()), NAMES) == ""


def test_a_content_is_checked_by_the_contract_of_its_topic() -> None:
    assert fault(content(GOOD), "notifications.low", NAMES, NOW) == ""
    assert "recipient" in fault(content(GOOD.replace(b"ann", b"")), "notifications.low", NAMES, NOW)
    assert fault(content(GOOD), "receipts", NAMES, NOW)
    assert fault(content(b""), "notifications.scheduled", NAMES, NOW)
