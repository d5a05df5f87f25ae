"""The states of the ledger's equation, the faults that an audit names, and the balance of both. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from clarion.contracts.api.status import State


class Home(StrEnum):
    """Where an accepted notification is: the right side of the equation, in the order of a notification's life."""

    IN_KAFKA = "in_kafka"
    SCHEDULED = "scheduled"
    PENDING = "pending"
    DELIVERED = "delivered"  # also what was read
    EXPIRED = "expired"
    COLLAPSED = "collapsed"
    THROTTLED = "throttled"
    RETRACTED = "retracted"
    DEAD = "dead"


# The home of what is stored, by its state there. What is stored has none of the other states.
HOMES: Final = {
    State.PENDING: Home.PENDING,
    State.DELIVERED: Home.DELIVERED,
    State.READ: Home.DELIVERED,
    State.EXPIRED: Home.EXPIRED,
    State.COLLAPSED: Home.COLLAPSED,
    State.THROTTLED: Home.THROTTLED,
    State.RETRACTED: Home.RETRACTED,
}


class Fault(StrEnum):
    """Why something does not fit; docs/ledger.md says of each what to do."""

    # accepted, and in no state: these break the equation
    NOWHERE = "nowhere"
    SKIPPED = "skipped"
    NOT_RELEASED = "not_released"
    ONLY_A_STUB = "only_a_stub"
    OTHER_RECIPIENT = "other_recipient"
    OTHER_CONTENT = "other_content"
    NO_DEAD_LETTER = "no_dead_letter"
    NO_STATE = "no_state"
    # in more than one state, in a state that was never accepted, or in one that cannot be
    TWO_PLACES = "two_places"
    DEAD_AND_STORED = "dead_and_stored"
    NEVER_ACCEPTED = "never_accepted"
    LETTER_WITHOUT_RECORD = "letter_without_record"
    HALF_RETRACTED = "half_retracted"
    CONTRADICTION = "contradiction"
    # accounted for, and strange for as long as it lasts
    COMMIT_BEHIND = "commit_behind"


# Of these, something accepted is in no state.
MISSING: Final = frozenset(
    {
        *(Fault.NOWHERE, Fault.SKIPPED, Fault.NOT_RELEASED, Fault.ONLY_A_STUB, Fault.OTHER_RECIPIENT),
        *(Fault.OTHER_CONTENT, Fault.NO_DEAD_LETTER, Fault.NO_STATE),
    }
)
# These do not fail an audit.
WARNINGS: Final = frozenset({Fault.COMMIT_BEHIND})


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What does not fit, and why: an id, the place of a record, or both."""

    fault: Fault
    detail: str
    id: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(slots=True)
class Balance:
    """How many accepted notifications are in each state, and how many in none."""

    homes: Counter[Home] = field(default_factory=Counter[Home])
    missing: int = 0

    @property
    def accepted(self) -> int:
        """Return how many were accepted: the left side of the equation."""
        return self.homes.total() + self.missing

    def add(self, other: "Balance") -> None:
        """Add what `other` has counted."""
        self.homes.update(other.homes)
        self.missing += other.missing
