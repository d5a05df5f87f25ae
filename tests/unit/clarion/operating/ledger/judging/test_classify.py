"""Each use of an id is in one state, and each way in which it can be in none, or in two, has its name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clarion.contracts.api.status import State
from clarion.contracts.lanes import Lane
from clarion.operating.ledger.judging.classify import Known, Seen, View, judge
from clarion.operating.ledger.judging.fields import Kept, Waiting
from clarion.operating.ledger.judging.rows import Way
from clarion.operating.ledger.judging.states import HOMES, Fault, Home
from clarion.store.scheduled import Held

ID = "00000000-0000-7000-8000-000000000001"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
VIEW = View(NOW, NOW - timedelta(days=1), is_whole=True, folds_are_done=True)
PART = replace(VIEW, since=None, is_whole=False)
A, B, PLAN, OTHER_PLAN = b"a", b"b", b"plan of a", b"plan of b"


def seen(content: bytes = A, way: Way = Way.NONE, **more: Any) -> Seen:
    plan = None if way in (Way.NONE, Way.ASTRAY) else b"plan of " + content
    return Seen(content, plan, way, "ann", "notifications.normal", 0, 5, **more)


def kept(content: bytes = A, state: State | None = State.PENDING, **more: Any) -> Kept:
    fields: dict[str, Any] = {"recipient": "ann", "sender": "s", "lane": Lane.NORMAL, "ord": 5, "stored_at": NOW}
    return Kept(id=ID, state=state, content=content, **{**fields, **more})


def held(state: Held | None = Held.WAITING, digest: bytes = PLAN, **more: Any) -> Waiting:
    fields: dict[str, Any] = {
        "recipient": "ann",
        "sender": "s",
        "due": NOW + timedelta(hours=1),
        "created_at": NOW - timedelta(hours=1),
        "retracted_at": NOW - timedelta(hours=1) if state is Held.RETRACTED else None,
    }
    return Waiting(id=ID, state=state, digest=digest, **{**fields, **more})


def outcome(records: Sequence[Seen], view: View = VIEW, **more: Any) -> tuple[dict[Home, int], int, list[Fault]]:
    """The states, how many are in none, and the faults."""
    verdict = judge(Known(ID, records, **more), view)
    homes = {home: count for home, count in verdict.balance.homes.items() if count}
    return homes, verdict.balance.missing, [finding.fault for finding in verdict.findings]


# ---- in one state


@pytest.mark.parametrize("state", HOMES)
def test_what_is_stored_is_in_its_state(state: State) -> None:
    assert outcome([seen()], kept=kept(state=state), is_own_place=True) == ({HOMES[state]: 1}, 0, [])


def test_a_repeat_is_the_same_use() -> None:
    assert outcome([seen(count=3), seen(open=True)], kept=kept(), is_own_place=True) == ({Home.PENDING: 1}, 0, [])


def test_what_is_not_committed_is_in_kafka() -> None:
    assert outcome([seen(open=True)]) == ({Home.IN_KAFKA: 1}, 0, [])
    assert outcome([seen(way=Way.SCHEDULED, open=True)]) == ({Home.IN_KAFKA: 1}, 0, [])


def test_a_dead_letter_counts_by_its_place_beside_the_first_use() -> None:
    records = [seen(), seen(B, dead=True, count=2)]
    assert outcome(records, kept=kept(), is_own_place=True) == ({Home.PENDING: 1, Home.DEAD: 2}, 0, [])
    assert outcome([seen(dead=True)]) == ({Home.DEAD: 1}, 0, [])


def test_what_waits_is_scheduled_until_it_is_in_its_lane() -> None:
    plan = seen(way=Way.SCHEDULED)
    assert outcome([plan], held=held()) == ({Home.SCHEDULED: 1}, 0, [])
    released = held(Held.RELEASED)
    assert outcome([plan, seen(open=True)], held=released) == ({Home.IN_KAFKA: 1}, 0, [])
    assert outcome([plan, seen()], kept=kept(), held=released, is_own_place=True) == ({Home.PENDING: 1}, 0, [])


def test_what_came_early_to_its_lane_is_scheduled() -> None:
    records = [seen(way=Way.EARLY), seen(way=Way.SCHEDULED)]
    assert outcome(records, held=held()) == ({Home.SCHEDULED: 1}, 0, [])
    assert outcome([seen(way=Way.EARLY)], kept=kept(), is_own_place=True) == ({Home.PENDING: 1}, 0, [])


def test_what_is_due_may_be_stored_before_it_is_marked() -> None:
    due = held(due=NOW - timedelta(seconds=1))
    records = [seen(way=Way.SCHEDULED), seen(open=True)]
    assert outcome(records, kept=kept(), held=due, is_own_place=True) == ({Home.PENDING: 1}, 0, [])


def test_what_was_taken_back_while_it_was_held_is_retracted() -> None:
    assert outcome([seen(way=Way.SCHEDULED)], held=held(Held.RETRACTED)) == ({Home.RETRACTED: 1}, 0, [])


def test_a_record_that_was_sent_on_is_where_its_copy_is() -> None:
    astray = seen(way=Way.ASTRAY)
    assert outcome([astray, seen(open=True)]) == ({Home.IN_KAFKA: 1}, 0, [])
    assert outcome([astray, seen()], kept=kept(), is_own_place=True) == ({Home.PENDING: 1}, 0, [])
    assert outcome([astray, seen(dead=True)]) == ({Home.DEAD: 1}, 0, [])
    assert outcome([astray], refused=True) == ({Home.DEAD: 1}, 0, [])
    assert outcome([seen(way=Way.SCHEDULED), seen(dead=True)], held=held(Held.RELEASED))[1:] == (0, [])


def test_two_uses_of_an_id_are_in_a_state_each() -> None:
    records = [seen(), seen(B, Way.SCHEDULED)]
    found = outcome(records, kept=kept(), held=held(digest=OTHER_PLAN), is_own_place=True)
    assert found == ({Home.PENDING: 1, Home.SCHEDULED: 1}, 0, [])


# ---- in no state


@pytest.mark.parametrize(
    ("fault", "records", "more"),
    [
        (Fault.NOWHERE, [seen()], {}),
        (Fault.NOWHERE, [seen(way=Way.SCHEDULED)], {}),
        (Fault.NOWHERE, [seen(way=Way.ASTRAY)], {}),
        (Fault.NOWHERE, [seen(), seen(B, dead=True)], {}),
        (Fault.NOWHERE, [seen()], {"refused": True}),
        (Fault.SKIPPED, [seen(skipped=True)], {}),
        (Fault.ONLY_A_STUB, [seen()], {"is_stub": True}),
        (Fault.NOT_RELEASED, [seen(way=Way.SCHEDULED)], {"held": held(Held.RELEASED)}),
        (Fault.OTHER_RECIPIENT, [seen()], {"kept": kept(B, recipient="bob"), "is_own_place": False}),
        (Fault.OTHER_CONTENT, [seen()], {"kept": kept(B), "is_own_place": True}),
        (Fault.OTHER_CONTENT, [seen(way=Way.SCHEDULED)], {"held": held(digest=OTHER_PLAN)}),
    ],
)
def test_what_is_in_no_state_is_missing(fault: Fault, records: list[Seen], more: dict[str, Any]) -> None:
    homes, missing, faults = outcome(records, **more)
    assert (missing, faults) == (1, [fault])
    assert set(homes) <= {Home.DEAD}


def test_the_second_use_without_a_dead_letter_is_missing() -> None:
    found = outcome([seen(), seen(B)], kept=kept(), is_own_place=True)
    assert found == ({Home.PENDING: 1}, 1, [Fault.OTHER_CONTENT])


def test_a_state_that_does_not_exist_is_no_state() -> None:
    broken = kept(state=None, contradictions=("`state` is 'lost'",))
    assert outcome([seen()], kept=broken, is_own_place=True) == ({}, 1, [Fault.NO_STATE])
    assert outcome([], kept=broken) == ({}, 0, [Fault.CONTRADICTION])


def test_a_finding_names_the_record_that_should_be_stored() -> None:
    astray = replace(seen(way=Way.ASTRAY), partition=1, offset=1)
    (finding,) = judge(Known(ID, [astray, seen()]), VIEW).findings
    assert (finding.id, finding.topic, finding.partition, finding.offset) == (ID, "notifications.normal", 0, 5)


# ---- in two, or without a record


@pytest.mark.parametrize(
    ("records", "more"),
    [
        ([seen(), seen(way=Way.SCHEDULED)], {"kept": kept(), "held": held(), "is_own_place": True}),
        ([seen(way=Way.SCHEDULED)], {"kept": kept(B), "held": held(), "is_own_place": False}),
        ([seen()], {"kept": kept(), "held": held(digest=b"?"), "is_own_place": True}),
    ],
)
def test_what_waits_and_is_stored_is_in_two_places(records: list[Seen], more: dict[str, Any]) -> None:
    assert outcome(records, **more)[1:] == (0, [Fault.TWO_PLACES])


def test_what_is_stored_without_a_record_was_never_accepted() -> None:
    assert outcome([], kept=kept(), is_own_place=False) == ({}, 0, [Fault.NEVER_ACCEPTED])
    assert outcome([seen(B, dead=True)], kept=kept(), is_own_place=False)[1:] == (0, [Fault.NEVER_ACCEPTED])


def test_what_is_held_without_a_record_was_never_accepted() -> None:
    assert outcome([], held=held()) == ({}, 0, [Fault.NEVER_ACCEPTED])


def test_what_came_before_the_span_needs_no_record() -> None:
    assert outcome([], kept=kept(), is_own_place=None) == ({}, 0, [])
    assert outcome([], held=held(created_at=NOW - timedelta(days=2))) == ({}, 0, [])
    assert outcome([], held=held(), view=PART) == ({}, 0, [])


def test_a_dead_letter_of_what_is_stored_is_named() -> None:
    found = outcome([seen(dead=True)], kept=kept(), is_own_place=True)
    assert found == ({Home.DEAD: 1}, 0, [Fault.DEAD_AND_STORED])
    assert outcome([seen(dead=True)], kept=kept(), is_own_place=None)[2] == []  # stored from an earlier record


def test_what_was_taken_back_only_where_it_is_held_is_named() -> None:
    records, retracted = [seen(way=Way.SCHEDULED), seen()], held(Held.RETRACTED)
    more: dict[str, Any] = {"held": retracted, "is_own_place": True}
    assert outcome(records, kept=kept(), **more)[2] == [Fault.HALF_RETRACTED]
    assert outcome(records, kept=kept(state=State.COLLAPSED), **more)[2] == []
    assert outcome(records, kept=kept(), view=replace(VIEW, folds_are_done=False), **more)[2] == []
    assert outcome([*records, seen(open=True)], kept=kept(), **more)[2] == []


def test_contradictions_and_a_foreign_place_are_named() -> None:
    contrary = kept(contradictions=("it is odd",))
    assert outcome([seen()], kept=contrary, is_own_place=True) == ({Home.PENDING: 1}, 0, [Fault.CONTRADICTION])
    assert outcome([seen()], kept=kept(), is_own_place=False) == ({Home.PENDING: 1}, 0, [Fault.CONTRADICTION])
    records = [seen(way=Way.SCHEDULED)]
    assert outcome(records, held=held(contradictions=("it is odd",)))[2] == [Fault.CONTRADICTION]


def test_a_commit_that_stays_behind_is_a_warning() -> None:
    long_ago = kept(stored_at=NOW - timedelta(minutes=2))
    found = outcome([seen(open=True)], kept=long_ago, is_own_place=True)
    assert found == ({Home.PENDING: 1}, 0, [Fault.COMMIT_BEHIND])
    assert outcome([seen(open=True)], kept=kept(), is_own_place=True)[2] == []
    assert outcome([seen(), seen(open=True)], kept=long_ago, is_own_place=True)[2] == []


# ---- when only some records were read


def test_a_part_of_the_records_blames_only_what_is_final() -> None:
    assert outcome([seen()], PART)[2] == [Fault.NOWHERE]
    assert outcome([seen(way=Way.SCHEDULED)], PART)[2] == [Fault.NOWHERE]
    assert outcome([seen(way=Way.ASTRAY)], PART)[2] == []
    assert outcome([seen(way=Way.EARLY)], PART)[2] == []
    assert outcome([seen(way=Way.SCHEDULED)], PART, held=held(Held.RELEASED))[2] == []
    assert outcome([seen()], PART, kept=kept(B, recipient="bob"))[2] == [Fault.OTHER_RECIPIENT]
