"""Each ending of a notification is told with its steps and its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.record_search import Hit
from clarion.contracts import order
from clarion.contracts.api.status import State
from clarion.contracts.records.receipts import Op, Receipt
from clarion.operating.trace.kafka_facts import Died, KafkaFacts
from clarion.operating.trace.story import Ending, Told, tell
from clarion.store.queries.notification_facts import Death, NotificationFacts

ID = "01938d5e-0000-7000-8000-000000000001"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
THEN = NOW - timedelta(minutes=5)


def after(seconds: float) -> datetime:
    return THEN + timedelta(seconds=seconds)


def stored(state: str, **more: Any) -> dict[str, Any]:
    known = {"_id": ID, "recipient": "ann", "sender": "calls", "type": "call.missed", "lane": "high", "state": state}
    return known | {"ord": order.pack(2, 7), "created_at": THEN, "stored_at": after(1)} | more


def facts(document: dict[str, Any] | None = None, **more: Any) -> NotificationFacts:
    known: dict[str, Any] = {"held": {}, "deaths": [], "replaced_by": "", "mailboxes": [], "placings": {}}
    return NotificationFacts(id=ID, recipient="ann", stored=document or {}, **(known | more))


def told(known: NotificationFacts | None, kafka: KafkaFacts | None = None) -> Told:
    return tell(known, kafka or KafkaFacts(), ID, NOW)


def steps(story: Told) -> list[str]:
    return [step.what for step in story.steps]


def taken(offset: int = 7) -> Hit[str]:
    return Hit(Partition("notifications.high", 3), offset, after(0.5), "00-trace")


def test_every_state_of_a_notification_is_an_ending() -> None:
    assert {str(state) for state in State} <= {str(ending) for ending in Ending}


def test_a_delivered_one_is_told_from_acceptance_to_reading() -> None:
    receipt = Receipt("ann", Op.DELIVERED, [ID], after(3), session="s-1")
    kafka = KafkaFacts(taken=taken(), routed=[Hit(Partition("deliveries", 5), 1, after(2), False)])
    kafka.receipts = [Hit(Partition("receipts", 0), 9, after(3.1), receipt)]
    story = told(facts(stored("read", delivered_at=after(3), read_at=after(4))), kafka)
    assert story.ending is Ending.READ
    assert steps(story) == ["accepted", "taken by Kafka", "stored", "routed", "acknowledged", "read"]
    assert [step.at for step in story.steps] == [THEN, *map(after, (0.5, 1, 2, 3, 4))]
    details = " | ".join(step.detail for step in story.steps)
    for named in ("call.missed by calls for ann", "notifications.high/3/7, traceparent 00-trace", "mailbox 5", "s-1"):
        assert named in details
    assert story.cure == ""


def test_a_pending_one_says_whether_its_recipient_is_connected() -> None:
    away = told(facts(stored("pending")))
    assert (away.ending, away.cure) == (Ending.PENDING, "")
    assert "not connected" in away.summary
    here = told(facts(stored("pending"), mailboxes=[5]))
    assert "mailbox 5" in here.summary
    assert "clarion user ann" in here.cure
    assert told(facts(stored("pending", stored_at=NOW), mailboxes=[5])).cure == ""


@pytest.mark.parametrize(
    ("document", "more", "ending", "said"),
    [
        (stored("throttled", deferred=True), {}, Ending.THROTTLED, "above its recipient's limit"),
        (
            stored("collapsed", collapse_key="k", collapsed_at=NOW),
            {"replaced_by": "x"},
            Ending.COLLAPSED,
            "x came next",
        ),
        (stored("expired", expired_at=NOW), {}, Ending.EXPIRED, "expired before a device"),
        (stored("retracted", retracted_at=NOW), {}, Ending.RETRACTED, "taken it back"),
        (stored("pending", expires_at=THEN), {}, Ending.PENDING, "about to be marked"),
        (
            {"stub": True, "state": "retracted", "retracted_by": ["calls", ""], "noted_at": NOW},
            {},
            Ending.RETRACTED,
            "calls",
        ),
        ({"stub": True, "state": "delivered", "delivered_at": NOW}, {}, Ending.WAITING, "before it was stored"),
    ],
)
def test_each_ending_in_the_store_says_why(document: Any, more: Any, ending: Ending, said: str) -> None:
    story = told(facts(document, **more))
    assert story.ending is ending
    assert said in story.summary


@pytest.mark.parametrize(
    ("held", "ending", "said"),
    [
        ({"state": "waiting", "due": NOW + timedelta(hours=1)}, Ending.SCHEDULED, "held until"),
        ({"state": "waiting", "due": THEN}, Ending.SCHEDULED, "was not released"),
        ({"state": "retracted", "due": THEN, "retracted_at": THEN}, Ending.RETRACTED, "before it was due"),
        ({"state": "released", "due": THEN, "released_at": THEN}, Ending.WAITING, "released into its lane"),
    ],
)
def test_a_scheduled_one_is_told_by_where_it_is_held(held: dict[str, Any], ending: Ending, said: str) -> None:
    known = {"sender": "calls", "recipient": "ann", "type": "t", "lane": "low", "created_at": THEN}
    story = told(facts(held=held | known))
    assert story.ending is ending
    assert said in story.summary
    assert {"accepted", "due"} <= set(steps(story))


def test_a_dead_one_is_told_with_reason_and_place() -> None:
    death = Death("calls", "ann", NOW, "invalid", "`message` is empty", "notifications.high/3/7")
    story = told(facts(deaths=[death]))
    assert story.ending is Ending.DEAD
    assert "invalid" in story.summary
    assert "notifications.high/3/7" in story.summary
    letter = Hit(Partition("dead-letters", 0), 1, NOW, Died("unstorable", "too deep", "receipts/0/1"))
    assert "unstorable" in told(facts(), KafkaFacts(died=[letter])).summary


def test_one_that_is_still_to_be_read_is_told_with_its_place() -> None:
    story = told(facts(), KafkaFacts(taken=taken(), unread_before=12))
    assert story.ending is Ending.WAITING
    assert "partition 3, with 12 records before it" in story.summary
    assert "workers" in story.cure


def test_one_that_was_read_and_is_nowhere_is_lost() -> None:
    story = told(facts(), KafkaFacts(taken=taken()))
    assert story.ending is Ending.LOST
    assert "notifications.high/3/7" in story.summary
    assert "clarion audit" in story.cure


def test_one_of_which_nothing_is_known_is_unknown() -> None:
    assert told(facts()).ending is Ending.UNKNOWN


def test_a_server_that_is_away_is_noted_and_nothing_is_claimed() -> None:
    without_kafka = tell(facts(stored("delivered", delivered_at=NOW)), None, ID, NOW)
    assert without_kafka.ending is Ending.DELIVERED
    assert any("Kafka does not answer" in note for note in without_kafka.notes)
    without_mongodb = told(None, KafkaFacts(taken=taken()))
    assert without_mongodb.ending is Ending.UNKNOWN
    assert "MongoDB is away" in without_mongodb.summary
