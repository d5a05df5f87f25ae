"""Which mailboxes a gateway may try for. Times are its own clock's."""

from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from services.gateway.lease import Observed


def leases(*found: Lease) -> dict[int, Lease]:
    return {lease.mailbox: lease for lease in found}


def candidates(observed: Observed, found: dict[int, Lease], now: float, count: int = 3) -> list[int]:
    observed.look(found, now)
    return observed.candidates(count, found, now)


def test_those_nobody_had_and_those_given_back_come_first() -> None:
    found = leases(Lease(0, "a", 1, 4), Lease(1, "", 2, 9))
    assert candidates(Observed(), found, 0) == [1, 2]


def test_a_silent_owner_loses_its_mailbox_only_after_the_lease_time() -> None:
    observed, found = Observed(), leases(*(Lease(n, "a", 1, 4) for n in range(3)))
    assert candidates(observed, found, 100) == []
    assert candidates(observed, found, 100 + TAKE_AFTER_S - 0.1) == []
    assert candidates(observed, found, 100 + TAKE_AFTER_S) == [0, 1, 2]


def test_an_owner_that_renews_keeps_its_mailbox() -> None:
    observed, seen = Observed(), [[-1]]
    for renewals in range(20):
        found = leases(*(Lease(n, "a", 1, renewals if n == 1 else 0) for n in range(3)))
        seen.append(candidates(observed, found, 100 + renewals * 5))
    assert seen[-1] == [0, 2]
    assert not any(1 in one for one in seen)


def test_a_takers_own_clock_starts_when_it_first_looks() -> None:
    """However old a lease is: another machine's time says nothing here."""
    found = leases(*(Lease(n, "long dead", 7, 1_000) for n in range(3)))
    assert candidates(Observed(), found, 1e9) == []


def test_mailboxes_beyond_the_topics_partitions_are_left_alone() -> None:
    observed, found = Observed(), leases(Lease(0, "a", 1, 0), Lease(9, "b", 1, 0))
    observed.look(found, 0)
    assert observed.candidates(1, found, TAKE_AFTER_S) == [0]
