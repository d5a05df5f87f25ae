"""What waits for somebody's transaction is named once, and while it lasts."""

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.open_transactions import NAMED_AFTER_S, OpenTransactions, Place

A = Partition("notifications.normal", 3)


def test_places_tell_what_is_left_and_what_can_be_read() -> None:
    assert (Place(A, 4, 6, 9).behind, Place(A, 4, 6, 9).readable, Place(A, 4, 6, 9).waits) == (5, 2, False)
    assert (Place(A, 6, 6, 9).behind, Place(A, 6, 6, 9).readable, Place(A, 6, 6, 9).waits) == (3, 0, True)
    assert not Place(A, 9, 9, 9).waits


def test_a_wait_is_named_after_a_while_and_until_it_ends() -> None:
    waits = OpenTransactions()
    waits.look([Place(A, 6, 6, 9)], 0)
    assert waits.named(NAMED_AFTER_S - 1) == ""
    waits.look([Place(A, 6, 6, 12)], NAMED_AFTER_S)
    said = waits.named(NAMED_AFTER_S + 2)
    assert said.startswith("notifications.normal partition 3 waits at offset 6 for a transaction")
    assert waits.longest_s(NAMED_AFTER_S + 2) == NAMED_AFTER_S + 2
    waits.look([Place(A, 12, 12, 12)], NAMED_AFTER_S + 3)
    assert (waits.named(NAMED_AFTER_S + 3), waits.longest_s(NAMED_AFTER_S + 3)) == ("", 0)


def test_a_producer_that_works_in_transactions_is_no_wait() -> None:
    waits = OpenTransactions()
    for n in range(100):
        waits.look([Place(A, n, n, n + 3)], n)
        assert waits.named(n) == ""
