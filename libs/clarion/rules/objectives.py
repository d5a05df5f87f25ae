"""The objectives as signals, and how fast their error budgets may burn before somebody is told. Pure.

An objective leaves a budget of what may be late or refused within 30 days. Burning at 1 uses it up in just that time. A
burn is told when it is seen over a long window, so that it matters, and over a short one, so that it goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from clarion.contracts.objectives import ACCEPTING, DELIVERED_WITHIN_S, ON_TIME
from clarion.rules.rule import Severity
from clarion.rules.signals import (
    HOUR_S,
    MINUTE_S,
    Combined,
    Either,
    Rate,
    Ratio,
    Remainder,
    Series,
    Signal,
    total,
)

_DAY_S: Final = 24 * HOUR_S
_BAD_AT_LEAST: Final = 10  # so many bad events stand behind each alert, so that single ones wake nobody


class Burn(NamedTuple):
    """Told when a budget burns `factor` times as fast as it may, over both windows."""

    factor: float
    long_s: float
    short_s: float
    severity: Severity


BURNS: Final = (
    Burn(14.4, HOUR_S, 5 * MINUTE_S, "critical"),
    Burn(6, 6 * HOUR_S, 30 * MINUTE_S, "critical"),
    Burn(3, _DAY_S, 2 * HOUR_S, "warning"),
    Burn(1, 3 * _DAY_S, 6 * HOUR_S, "warning"),
)


@dataclass(frozen=True, slots=True)
class Objective:
    """What share of events may be bad. `id` is its anchor in the runbook; `record` begins names of recording rules."""

    id: str
    title: str
    record: str
    budget: float
    bad_share: Callable[[float], Signal]  # over so many seconds
    events: Callable[[float], Signal]  # a second
    labels: tuple[str, ...]
    what: str
    cause: str
    cure: str

    def events_at_least(self, burn: Burn) -> float:
        """Return how many events a second the long window needs, for `_BAD_AT_LEAST` bad ones to burn as fast."""
        return _BAD_AT_LEAST / (burn.factor * self.budget) / burn.long_s


def late_share(over_s: float) -> Either:
    """Return which share of each lane's live deliveries was later than its objective."""
    return Either(tuple(_late_share(lane, within_s, over_s) for lane, within_s in _WITHIN_S.items()))


_WITHIN_S: Final[Mapping[str, float]] = {str(lane): within_s for lane, within_s in DELIVERED_WITHIN_S.items()}


def _late_share(lane: str, within_s: float, over_s: float) -> Remainder:
    of_lane = {"lane": lane}
    in_time = Series("clarion_delivery_seconds_bucket", {**of_lane, "le": str(float(within_s))})
    every = Series("clarion_delivery_seconds_count", of_lane)
    return Remainder(Ratio(total(Rate(in_time, over_s), "le"), total(Rate(every, over_s))))


def _deliveries(over_s: float) -> Combined:
    return total(Rate(Series("clarion_delivery_seconds_count"), over_s))


def _unavailable_share(over_s: float) -> Ratio:
    unavailable = total(Rate(Series("clarion_answered_total", {"status": "~5.."}), over_s), "status")
    return Ratio(unavailable, _answers(over_s))


def _answers(over_s: float) -> Combined:
    return total(Rate(Series("clarion_answered_total"), over_s), "status")


OBJECTIVES: Final = (
    Objective(
        id="delivery-budget-burns",
        title="Delivery budget burns",
        record="clarion:delivery_late",
        budget=1 - ON_TIME,
        bad_share=late_share,
        events=_deliveries,
        labels=("lane",),
        what="Of the lane {lane} so many live deliveries are late that the budget of 30 days burns too fast",
        cause="A stage of the lane is slow, Kafka or a gateway is, or the lane has too little processor for its load.",
        cure=(
            "See which stage takes longest on the dashboard of lanes, and whether one gateway alone is late. Then look "
            "at what holds beside this: Slow store, CPU saturated, Lag grows."
        ),
    ),
    Objective(
        id="accepting-budget-burns",
        title="Accepting budget burns",
        record="clarion:accepting_unavailable",
        budget=1 - ACCEPTING,
        bad_share=_unavailable_share,
        events=_answers,
        labels=(),
        what="Ingest answers so many publishing requests with 5xx that the budget of 30 days burns too fast",
        cause="Kafka is away, refuses records or is slow to acknowledge them, or ingest has too many requests in hand.",
        cure=(
            "Ask `/health` of the ingest processes, which names what is down or what Kafka refuses. With Kafka well, "
            "start another ingest process. Senders have been told to try again, and nothing that was accepted is lost."
        ),
    ),
)
