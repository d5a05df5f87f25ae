"""The account of a run finds what is lost, doubled, misled, or came only by a new connection."""

from clarion.contracts.lanes import Lane
from tests.compare.account import Account, Asked, Verdict
from tests.compare.workload import Phase


def account(*keys: str, phase: Phase = Phase.KILLED) -> Account:
    """Each of these is for ann, was accepted, and was handed to her once."""
    one = Account()
    for key in keys:
        one.asked[key] = Asked("ann", phase, Lane.NORMAL, 100.0)
        one.accepted.add(key)
        one.handed("ann", key, 100.5)
    return one


def killed(one: Account) -> Verdict:
    return one.verdicts()[Phase.KILLED]


def test_what_comes_once_is_well() -> None:
    assert killed(account("a", "b")) == Verdict(published=2)


def test_a_planted_loss_is_found() -> None:
    one = account("a", "b")
    del one.times["b"], one.first_at["b"]
    assert killed(one).lost == ["b"]
    assert one.missing(["ann"]) == {"b"}
    assert one.missing(["bob"]) == set()


def test_a_planted_double_is_found() -> None:
    one = account("a", "b")
    one.handed("ann", "b", 101.0)
    assert killed(one).doubled == ["b"]
    assert one.first_at["b"] == 100.5


def test_what_another_user_is_handed_is_misled_and_lost() -> None:
    one = account("a")
    one.asked["b"] = Asked("ann", Phase.KILLED, Lane.NORMAL, 100.0)
    one.accepted.add("b")
    one.handed("bob", "b", 100.5)
    assert (killed(one).misled, killed(one).lost) == (["b"], ["b"])


def test_what_nobody_published_is_misled() -> None:
    one = account("a")
    one.handed("ann", "unknown", 100.0)
    assert [key for verdict in one.verdicts().values() for key in verdict.misled] == ["unknown"]


def test_what_was_refused_is_not_lost_and_may_come() -> None:
    one = account("a", "b")
    one.accepted.clear()
    del one.times["b"], one.first_at["b"]
    assert (killed(one).refused, killed(one).lost) == (["a", "b"], [])
    assert one.missing(["ann"]) == set()


def test_what_only_a_new_connection_brings_is_told() -> None:
    one = account("a")
    one.returned_at = 200.0
    one.asked["b"] = Asked("ann", Phase.KILLED, Lane.NORMAL, 100.0)
    one.accepted.add("b")
    one.handed("ann", "b", 201.0)
    assert killed(one).on_return == ["b"]


def test_a_loss_counts_in_the_phase_of_its_publishing() -> None:
    one = account("a", phase=Phase.STOPPED)
    one.times.clear()
    assert one.verdicts()[Phase.STOPPED].lost == ["a"]
    assert killed(one).lost == []


def test_a_reminder_that_is_not_due_is_waited_for_apart() -> None:
    one = Account()
    one.asked["later"] = Asked("ann", Phase.CALM, Lane.HIGH, 100.0, is_reminder=True)
    one.accepted.add("later")
    assert one.missing(["ann"], reminders=False) == set()
    assert one.missing(["ann"]) == {"later"}


def test_waits_are_from_when_it_was_ready_by_lane() -> None:
    one = account("a", phase=Phase.CALM)
    one.asked["b"] = Asked("ann", Phase.CALM, Lane.HIGH, 110.0, is_reminder=True)
    one.handed("ann", "b", 112.0)
    assert one.waits_s(Phase.CALM, ["ann"]) == {Lane.NORMAL: [0.5]}
    assert one.waits_s(Phase.CALM, ["ann"], reminders=True) == {Lane.HIGH: [2.0]}
    assert one.waits_s(Phase.CALM, ["bob"]) == {}
