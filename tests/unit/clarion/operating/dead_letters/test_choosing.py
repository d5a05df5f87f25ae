"""An operator says which letters are meant, and no field that is left out ever means all of them."""

from datetime import UTC, datetime

import pytest

from clarion.contracts.api.dead_letters import Chosen, Filter
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.notification import Invalid
from clarion.contracts.topics import Names
from clarion.operating.dead_letters import choosing
from clarion.operating.dead_letters.choosing import STATES
from clarion.store.dead_letters.queries import Position

NAMES = Names("t-")
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (Chosen(), "required"),
        (Chosen(filter=Filter()), "required"),
        (Chosen(ids=["a"], all=True), "ambiguous"),
        (Chosen(ids=["a"], filter=Filter(topic="x")), "ambiguous"),
        (Chosen(all=True, again=True), "excluded"),
    ],
)
def test_an_unclear_choice_is_refused(chosen: Chosen, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        choosing.check(chosen)
    assert refused.value.code == code


def test_ids_a_filter_or_all_are_clear() -> None:
    for chosen in (Chosen(ids=["a"], again=True), Chosen(filter=Filter(topic="x")), Chosen(all=True)):
        choosing.check(chosen)


def test_a_filter_is_a_query_of_all_that_it_says() -> None:
    wanted = Filter(Reason.INVALID, "notifications.low", AT, AT, "s", "r", "ABC")
    assert choosing.query_of(wanted, NAMES, STATES["kept"]) == {
        "state": {"$in": ["kept", "replaying"]},
        "reason": "invalid",
        "topic": "t-notifications.low",
        "at": {"$gte": AT, "$lt": AT},
        "sender": "s",
        "recipient": "r",
        "notification": "abc",
    }
    assert choosing.query_of(Filter(), NAMES, STATES["all"]) == {"state": {"$in": ["kept", "replaying", "replayed"]}}
    assert choosing.topic("t-receipts", NAMES) == "t-receipts"


def test_the_audit_log_has_what_was_chosen_and_no_more() -> None:
    ids = [f"a/0/{n}/00000000" for n in range(30)]
    assert choosing.about(Chosen(ids=ids)) == {"ids": ids[:20], "count": 30}
    assert choosing.about(Chosen(all=True)) == {"all": True}
    assert choosing.about(Chosen(filter=Filter(reason=Reason.INVALID))) == {"filter": {"reason": "invalid"}}


def test_a_cursor_says_since_when_and_from_where() -> None:
    position = Position(AT, "notifications.low/2/7/00000000")
    assert choosing.decode_cursor(choosing.encode_cursor(AT, position)) == (AT, position)
    with pytest.raises(Invalid):
        choosing.decode_cursor("x")
