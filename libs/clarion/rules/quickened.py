"""The rules on a quicker clock: for drills and tests, which cannot wait for an hour to pass. Pure.

All times of a rule are divided by one factor: how far its signal reads back, and for how long it has to hold or to be
over. What it compares with stays: thresholds, and events a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from clarion.rules.objectives import BURNS, Burn
from clarion.rules.rule import Rule
from clarion.rules.signals import (
    Added,
    Changes,
    Combined,
    Distance,
    Either,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Remainder,
    Signal,
    Slope,
    Value,
)
from clarion.rules.troubles import GROUPS


@dataclass(frozen=True, slots=True)
class Clock:
    """How many times quicker it goes, and what no window and no wait becomes shorter than.

    A window has to hold some samples, and a wait has to outlast a single look that was unlucky.
    """

    factor: float
    window_s: float = 10.0
    wait_s: float = 5.0

    def window(self, seconds: float) -> float:
        """Return how far back to read instead of `seconds`, never further."""
        return min(seconds, max(self.window_s, seconds / self.factor))

    def wait(self, seconds: float) -> float:
        """Return for how long to wait instead of `seconds`, never longer."""
        return min(seconds, max(self.wait_s, seconds / self.factor))


def quickened(rule: Rule, clock: Clock) -> Rule:
    """Return the rule by that clock."""
    threshold, volume = rule.threshold, rule.volume
    return replace(
        rule,
        signal=signal_by(rule.signal, clock),
        threshold=replace(threshold, for_s=clock.wait(threshold.for_s), clear_s=clock.wait(threshold.clear_s)),
        volume=volume and replace(volume, of=signal_by(volume.of, clock)),
    )


def groups_by(clock: Clock) -> Mapping[str, tuple[Rule, ...]]:
    """Return all troubles by that clock, in their groups."""
    return {name: tuple(quickened(rule, clock) for rule in rules) for name, rules in GROUPS.items()}


def burns_by(clock: Clock) -> tuple[Burn, ...]:
    """Return the burns of the objectives by that clock."""
    return tuple(burn._replace(long_s=clock.window(burn.long_s), short_s=clock.window(burn.short_s)) for burn in BURNS)


def signal_by(signal: Signal, clock: Clock) -> Signal:
    """Return the signal by that clock."""
    match signal:
        case Value():
            return signal
        case Extreme(over_s=over_s, ago_s=ago_s):
            return replace(signal, over_s=clock.window(over_s), ago_s=clock.window(ago_s) if ago_s else 0.0)
        case Rate() | Added() | Slope() | Changes() | Quantile():
            return replace(signal, over_s=clock.window(signal.over_s))
        case Combined(of=of) | Remainder(of=of) | Distance(of=of):
            return replace(signal, of=signal_by(of, clock))
        case Ratio(of=of, to=to):
            return Ratio(signal_by(of, clock), signal_by(to, clock))
        case Provided(of=of, there_is=there_is):
            return Provided(signal_by(of, clock), signal_by(there_is, clock))
        case Either(signals=signals):
            return Either(tuple(signal_by(one, clock) for one in signals))
