"""A mailbox is free when nobody has it, when it was given back, and when its owner renews it no more."""

from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from services.stream.observer.mailboxes import MailboxCount


def leases(*owners: str, renewals: int = 0) -> dict[int, Lease]:
    return {number: Lease(number, owner, 1, renewals) for number, owner in enumerate(owners)}


def test_owned_mailboxes_are_not_free() -> None:
    count = MailboxCount(4)
    assert count.free({}, 0.0) == 4
    assert count.free(leases("me", "", "you"), 0.0) == 2


def test_a_mailbox_whose_owner_died_is_free_once_it_may_be_taken() -> None:
    count = MailboxCount(2)
    now = 0.0
    for renewals in range(10):
        assert count.free(leases("alive", renewals=renewals) | {1: Lease(1, "dead", 3, 7)}, now) == (
            0 if now <= TAKE_AFTER_S else 1
        )
        now += 5.0


def test_a_mailbox_that_was_taken_again_is_not_free() -> None:
    count = MailboxCount(1)
    count.free({0: Lease(0, "dead", 1, 7)}, 0.0)
    assert count.free({0: Lease(0, "dead", 1, 7)}, 100.0) == 1
    assert count.free({0: Lease(0, "new", 2, 8)}, 100.0) == 0


def test_mailboxes_that_no_gateway_uses_any_more_do_not_count() -> None:
    assert MailboxCount(1).free(leases("me", "you", "they"), 0.0) == 0
