"""Fields that contradict a state; what the store itself writes never does (tests/integration has those)."""

from datetime import timedelta
from typing import Any

import pytest

from clarion.contracts.api.status import State
from clarion.operating.ledger.judging.fields import kept_of, waiting_of
from clarion.store.scheduled import Held
from tests.unit.clarion.operating.ledger.judging.stored_records import NOW, document_of
from tests.unit.stream.steps.test_decode import good

LATER = NOW + timedelta(days=30)
HELD: dict[str, Any] = {
    "_id": "00000000-0000-7000-8000-000000000001",
    "state": "waiting",
    "recipient": "ann",
    "sender": "s",
    "due": NOW,
    "created_at": NOW,
    "digest": b"d",
    "has_value": True,
}


def contradictions(**change: Any) -> tuple[str, ...]:
    document = document_of(good()) | change
    return kept_of({name: value for name, value in document.items() if value != "gone"}).contradictions


def test_a_new_document_contradicts_nothing() -> None:
    kept = kept_of(document_of(good()))
    assert kept.contradictions == ()
    assert (kept.state, kept.recipient, kept.sender, kept.stored_at) == (State.PENDING, "ann", "bob", NOW)
    assert kept_of(document_of(good(expires_at=NOW - timedelta(seconds=1)))).contradictions == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "lost"}, "`state` is 'lost'"),
        ({"state": "gone"}, "`state` is 'None'"),
        ({"state": "delivered"}, "`delivered_at` is missing"),
        ({"state": "read", "delivered_at": NOW}, "`read_at` is missing"),
        ({"state": "retracted", "unread": None}, "`retracted_at` is missing"),
        ({"state": "retracted", "retracted_at": NOW}, "still in the inbox"),
        ({"state": "collapsed", "unread": None, "collapsed_at": NOW}, "`collapse_key` is missing"),
        ({"state": "expired", "unread": None}, "neither `expires_at` nor `expired_at`"),
        ({"unread": None}, "pending and not unread"),
        ({"unread": "gone"}, "`unread` is missing"),
        ({"archived": True, "unread": None}, "pending and archived"),
        ({"delivered_at": NOW}, "it is pending and has `delivered_at`"),
        ({"retracted_at": NOW}, "it is pending and has `retracted_at`"),
        ({"expired_at": NOW}, "it has expired and is still in the inbox"),
        ({"recipient": "gone"}, "`recipient` is missing"),
        ({"purge_at": "gone"}, "`purge_at` is missing"),
        ({"body": b"{"}, "its body is missing, or cannot be read"),
        ({"sender": "eve"}, "its body has another type, sender or lane"),
        ({"lane": "low"}, "its body has another type, sender or lane"),
        ({"ord": 8}, "its body has another `ord`"),
        ({"ord": "gone"}, "`ord` is missing"),
        ({"state": "throttled", "lane": "urgent"}, "throttled in the urgent lane"),
    ],
)
def test_a_contradiction_is_named(change: dict[str, Any], said: str) -> None:
    assert any(said in text for text in contradictions(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "delivered", "delivered_at": NOW},
        {"state": "delivered", "delivered_at": NOW, "unread": None, "archived": True, "archived_at": NOW},
        {"state": "read", "delivered_at": NOW, "read_at": NOW, "unread": True},
        {"state": "read", "delivered_at": NOW, "read_at": NOW, "unread": None, "expired_at": NOW},
        {"state": "throttled"},
        {"state": "throttled", "unread": False, "read_at": NOW, "delivered_at": NOW},
        {"state": "pending", "late": True, "read_at": NOW, "delivered_at": NOW},
        {"state": "expired", "unread": None, "expired_at": NOW},
        {"state": "collapsed", "unread": None, "collapsed_at": NOW, "collapse_key": "k"},
        {"state": "retracted", "unread": None, "retracted_at": NOW, "delivered_at": NOW, "expired_at": NOW},
    ],
)
def test_what_receipts_make_of_a_document_contradicts_nothing(change: dict[str, Any]) -> None:
    assert contradictions(**change) == ()


def test_fields_of_strange_types_are_named_and_stop_nothing() -> None:
    strange = {n: {"a": 1} for n in ("recipient", "ord", "stored_at", "unread", "body", "lane", "deliver_at")}
    assert contradictions(**strange)
    assert waiting_of(HELD | {name: {"a": 1} for name in ("digest", "due", "created_at")}).digest == b""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "sold"}, "`state` is 'sold'"),
        ({"has_value": False}, "it waits without its record"),
        ({"purge_at": LATER}, "it is waiting and has `purge_at`"),
        ({"state": "released", "purge_at": LATER, "released_at": NOW}, "still has its record"),
        ({"state": "released", "has_value": False, "purge_at": LATER}, "`released_at` is missing"),
        ({"digest": None}, "`digest` is missing"),
    ],
)
def test_a_contradiction_of_what_is_held_is_named(change: dict[str, Any], said: str) -> None:
    assert any(said in text for text in waiting_of(HELD | change).contradictions)


def test_what_is_held_contradicts_nothing() -> None:
    ended = {"has_value": False, "purge_at": LATER}
    for change in (
        {},
        ended | {"state": "released", "released_at": NOW},
        ended | {"state": "retracted", "retracted_at": NOW, "released_at": NOW},
    ):
        assert waiting_of(HELD | change).contradictions == ()
    assert waiting_of(HELD).state is Held.WAITING
