"""What an audit is asked, and what it has found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from clarion.operating.ledger.judging.states import WARNINGS, Balance, Fault, Finding


@dataclass(frozen=True, slots=True)
class Span:
    """What to audit: what the broker took from `since` to before `until`; None is as far as Kafka retains, and now."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class Report:
    """What an audit has found. `findings` may be called until the end of the block of `audited`.

    `overdue` is how many notifications wait although they were due a minute before: no fault, but a scheduler that is
    behind. `earlier` is how many wait whose records Kafka does not retain; they are not in the equation.
    """

    span: Span
    asked_at: datetime
    records: int
    ids: int
    balance: Balance
    faults: Mapping[Fault, int]
    overdue: int
    earlier: int
    findings: Callable[[], Iterator[Finding]]

    @property
    def is_clean(self) -> bool:
        """Return whether nothing but warnings was found."""
        return self.faults.keys() <= WARNINGS
