"""A mark may come after what undid it: it waited in a producer, or for the receipts role. What was said last stands."""

from datetime import timedelta
from typing import Any

import pytest

from clarion.contracts import times
from clarion.contracts.records.receipts import Op
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import CLOCKS_APART, Change
from tests.integration.gateway.http.asking import document, store

NOW = times.now()
VERBS = {"read": Op.READ, "unread": Op.UNREAD, "archive": Op.ARCHIVED, "unarchive": Op.UNARCHIVED}


async def mark(stored: Database, user: str, id_: str, *said: tuple[str, int]) -> dict[str, Any]:
    """Fold marks in the order they come, each said so many seconds after the first."""
    documents = notifications.collection(stored)
    for verb, second in said:
        at = NOW + timedelta(seconds=second)
        await receipt_updates.fold(documents, [Change(VERBS[verb], (id_,), at, user)])
    found = await documents.find_one({"_id": id_})
    assert found is not None
    return {"unread": found["unread"], "archived": found.get("archived", False)}


@pytest.mark.parametrize(
    ("late", "said", "unread", "archived"),
    [
        ("read 1", "unread 2", True, False),
        ("unread 1", "read 2", False, False),
        ("read 1", "unread 2 read 3", False, False),
        ("archive 1", "read 2", None, True),
        ("archive 1", "unread 2", None, True),
        ("read 1", "archive 2", None, True),
        ("archive 1", "unarchive 2", True, False),  # it never was: it is as unread as it was
        ("archive 1", "unarchive 2 read 3", False, False),
        ("archive 1", "unarchive 2 archive 3", None, True),
        ("unread 2", "archive 1 unarchive 3", False, False),
        ("read 2", "archive 1 unarchive 3 unread 4", True, False),
    ],
)
async def test_a_late_mark_does_not_undo_a_newer_one(
    late: str, said: str, unread: bool | None, archived: bool, stored: Database, user: str
) -> None:
    [id_] = await store(stored, document(user, 1, NOW))
    words = said.split()
    in_time = [(verb, int(second)) for verb, second in zip(words[::2], words[1::2], strict=True)]
    verb, second = late.split()
    for _ in range(2):  # all of them may come again
        found = await mark(stored, user, id_, *in_time, (verb, int(second)))
        assert found == {"unread": unread, "archived": archived}
    assert await notifications.unread(notifications.collection(stored), user) == bool(unread)


async def test_clocks_may_differ_a_little(stored: Database, user: str) -> None:
    """Two gateways': what they stamp within half a second of one another applies as it comes."""
    [id_] = await store(stored, document(user, 1, NOW))
    documents = notifications.collection(stored)
    await receipt_updates.fold(documents, [Change(Op.READ, (id_,), NOW, user)])
    await receipt_updates.fold(documents, [Change(Op.UNREAD, (id_,), NOW - CLOCKS_APART / 2, user)])
    assert await notifications.unread(documents, user) == 1
