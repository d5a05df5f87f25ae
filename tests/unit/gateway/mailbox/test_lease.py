"""Which mailboxes a gateway may try for. Times are its own clock's."""

from collections.abc import AsyncIterator
from typing import Any

from pymongo.errors import AutoReconnect

from clarion.store.driver.database import Document
from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from services.gateway.mailbox.lease import LOOKED_AWAY_S, ObservedLeases, acquire


def leases(*found: Lease) -> dict[int, Lease]:
    return {lease.mailbox: lease for lease in found}


def candidates(observed: ObservedLeases, found: dict[int, Lease], now: float, count: int = 3) -> list[int]:
    observed.look(found, now)
    return observed.candidates(count, found, now)


def test_those_nobody_had_and_those_given_back_come_first() -> None:
    found = leases(Lease(0, "a", 1, 4), Lease(1, "", 2, 9))
    assert candidates(ObservedLeases(), found, 0) == [1, 2]


def test_a_silent_owner_loses_its_mailbox_after_the_lease_time() -> None:
    observed, found = ObservedLeases(), leases(*(Lease(n, "a", 1, 4) for n in range(3)))
    assert candidates(observed, found, 100) == []
    assert candidates(observed, found, 100 + TAKE_AFTER_S - 0.1) == []
    assert candidates(observed, found, 100 + TAKE_AFTER_S) == [0, 1, 2]


def test_an_owner_that_renews_keeps_its_mailbox() -> None:
    observed, seen = ObservedLeases(), [[-1]]
    for renewals in range(20):
        found = leases(*(Lease(n, "a", 1, renewals if n == 1 else 0) for n in range(3)))
        seen.append(candidates(observed, found, 100 + renewals * 5))
    assert seen[-1] == [0, 2]
    assert not any(1 in one for one in seen)


def test_a_takers_own_clock_starts_when_it_first_looks() -> None:
    """However old a lease is: another machine's time says nothing here."""
    found = leases(*(Lease(n, "long dead", 7, 1_000) for n in range(3)))
    assert candidates(ObservedLeases(), found, 1e9) == []


def test_mailboxes_beyond_the_topics_partitions_are_left_alone() -> None:
    observed, found = ObservedLeases(), leases(Lease(0, "a", 1, 0), Lease(9, "b", 1, 0))
    observed.look(found, 0)
    assert observed.candidates(1, found, TAKE_AFTER_S) == [0]


def test_who_could_not_look_waits_for_the_whole_lease_time_again() -> None:
    """While MongoDB is away nobody renews: afterwards owners come before takers."""
    observed, found = ObservedLeases(LOOKED_AWAY_S), leases(Lease(0, "a", 1, 4))
    for now in (0, 5, 10):
        assert candidates(observed, found, now, 1) == []
    assert candidates(observed, found, 60, 1) == []
    for now in (65, 70, 75):
        assert candidates(observed, found, now, 1) == []
    assert candidates(observed, found, 60 + TAKE_AFTER_S, 1) == [0]


class Documents:
    """A collection of leases that is away now and then; what it was asked may be done all the same."""

    def __init__(self) -> None:
        self.found: dict[int, Document] = {}
        self.is_away = False

    async def find(self, _: object) -> AsyncIterator[Document]:
        for document in self.found.values():
            yield document

    async def insert_one(self, document: Document) -> None:
        self.found[document["_id"]] = document
        if not self.is_away:
            self.is_away = True
            raise AutoReconnect("mongod was stopped")


async def test_an_outage_while_a_mailbox_is_taken_costs_no_mailbox() -> None:
    documents: Any = Documents()
    lease = await acquire(documents, 4, "me")
    assert lease == Lease(lease.mailbox, "me", 1, 0)
    assert list(documents.found) == [lease.mailbox]
