"""Receipts → updates: fewer of them, with the same outcome."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.records.receipts import Op, Receipt, Unfound
from clarion.store.updates import early_retractions, stubs
from services.stream.receipts.fold import IDS_PER_UPDATE, fold

START = datetime(2026, 1, 1, tzinfo=UTC)
OPS = [Op.DELIVERED, Op.READ, Op.UNREAD, Op.RETRACTED, Op.EXPIRED]
# each id is one user's, as in the store
OWNERS = {"a1": "ann", "a2": "ann", "b1": "bob"}
receipts = st.lists(st.tuples(st.sampled_from(OPS), st.sampled_from(sorted(OWNERS))), max_size=30)


def outcome(steps: list[tuple[Op, list[str], str | None]]) -> dict[str, tuple[str, bool]]:
    """What the store makes of updates, in memory: (state, unread) of each id."""
    states: dict[str, tuple[str, bool]] = dict.fromkeys(OWNERS, ("pending", True))
    for op, ids, user in steps:
        for id_ in ids:
            state, unread = states[id_]
            if user not in (None, OWNERS[id_]):
                continue
            if op is Op.DELIVERED and state == "pending":
                states[id_] = ("delivered", unread)
            elif op is Op.READ and unread:
                states[id_] = ("read", False)
            elif op is Op.UNREAD and state not in ("pending", "retracted"):
                states[id_] = (state, True)
            elif op is Op.RETRACTED:
                states[id_] = ("retracted", False)
    return states


@given(receipts)
def test_folded_changes_end_where_one_by_one_would(wanted: list[tuple[Op, str]]) -> None:
    """A gateway says delivered before anything else can be said of an item, so the model does, too."""
    ordered = sorted(wanted, key=lambda receipt: receipt[0] is not Op.DELIVERED)
    found = [Receipt(OWNERS[id_], op, [id_], START + timedelta(seconds=n)) for n, (op, id_) in enumerate(ordered)]
    one_by_one = outcome([(receipt.op, receipt.ids, receipt.user) for receipt in found])
    folded = outcome([(change.op, list(change.ids), change.user) for change in fold(found).changes])
    assert folded == one_by_one


def test_a_read_of_anothers_notification_does_not_change_it() -> None:
    (change,) = fold([Receipt("bob", Op.READ, ["a1"], START)]).changes
    assert change.user == "bob"
    assert outcome([(change.op, list(change.ids), change.user)])["a1"] == ("pending", True)


def test_deliveries_of_many_are_one_update_of_the_latest_time() -> None:
    found = [Receipt(f"u{n}", Op.DELIVERED, [f"id{n}"], START + timedelta(seconds=n)) for n in range(900)]
    (change,) = fold(found).changes
    assert (len(change.ids), change.at) == (900, START + timedelta(seconds=899))


def test_marks_said_together_are_one_update_of_their_time() -> None:
    seconds = [0.0, 0.1, 0.2, -60.0, 5.0]
    found = [Receipt("ann", Op.READ, [f"id{n}"], START + timedelta(seconds=s)) for n, s in enumerate(seconds)]
    folded = [(change.ids, change.at) for change in fold(found).changes]
    at = [receipt.at for receipt in found]
    assert folded == [(("id0", "id1", "id2"), at[2]), (("id3",), at[3]), (("id4",), at[4])]


def test_updates_are_bounded() -> None:
    found = [Receipt("ann", Op.DELIVERED, [f"{n}-{i}" for i in range(500)], START) for n in range(7)]
    assert max(len(change.ids) for change in fold(found).changes) == IDS_PER_UPDATE


def test_early_deliveries_are_an_update_of_their_user_alone() -> None:
    early = Receipt("ann", Op.DELIVERED, ["e1", "e2"], START, unstored=True)
    changes = fold([Receipt("ann", Op.DELIVERED, ["a1"], START), early, Receipt("ann", Op.READ, ["e1"], START)]).changes
    assert [(c.op, c.ids, c.user, c.unstored) for c in changes] == [
        (Op.DELIVERED, ("e1", "e2"), "ann", True),
        (Op.DELIVERED, ("a1",), None, False),
        (Op.READ, ("e1",), "ann", False),
    ]


@pytest.mark.parametrize(
    ("op", "told"),
    [
        (Op.EXPIRED, Op.EXPIRED),
        (Op.LAPSED, Op.EXPIRED),
        (Op.COLLAPSED, Op.COLLAPSED),
        (Op.THROTTLED, Op.THROTTLED),
    ],
)
def test_what_ended_by_itself_changes_nothing_and_is_told(op: Op, told: Op) -> None:
    folded = fold([Receipt("ann", op, ["a1"], START)])
    assert (folded.changes, folded.touched) == ([], {("ann", told): ["a1"]})


def test_what_is_folded_already_is_only_told() -> None:
    before = Receipt("ann", Op.UNREAD, ["a1"], START)
    folded = fold([Receipt("ann", Op.READ, ["a1"], START, folded=True), before])
    assert [change.op for change in folded.changes] == [Op.UNREAD]
    assert folded.touched == {("ann", Op.READ): ["a1"], ("ann", Op.UNREAD): ["a1"]}


def test_what_only_informs_upstream_is_nothing_to_a_user() -> None:
    folded = fold([Receipt("ann", Op.DEAD, ["a1"], START)])
    assert (folded.changes, folded.touched) == ([], {})


def test_a_retraction_of_what_is_not_found_is_told_to_nobody() -> None:
    found = [Receipt("id1", Op.RETRACTED, ["id1"], START, unfound=Unfound(sender)) for sender in ("calls", None)]
    folded = fold([*found, Receipt("ann", Op.READ, ["a1"], START)])
    assert folded.unfound == found
    assert [change.op for change in folded.changes] == [Op.READ]
    assert set(folded.touched) == {("ann", Op.READ)}
    (merged,) = early_retractions.retractions(found)
    assert (merged.by, merged.at) == ({"calls", stubs.ANYBODY}, START)
