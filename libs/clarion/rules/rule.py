"""What a rule is: a known trouble with the signal that shows it, its thresholds, cause and cure. Pure data."""

from dataclasses import dataclass
from typing import Literal

from clarion.rules.signals import Signal

# As in the alerts of Kubernetes and Kafka: `critical` calls somebody at once, `warning` makes a ticket, `info` is only
# shown.
Severity = Literal["critical", "warning", "info"]
Unit = Literal["number", "share", "seconds", "bytes", "per second"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a rule begins to hold and when it ends: hysteresis in value and in time.

    It begins once the signal has been beyond `fires_at` for `for_s` seconds. It ends once the signal has not been
    beyond `clears_at` for `clear_s` seconds.
    """

    fires_at: float
    clears_at: float
    for_s: float
    clear_s: float
    is_below: bool = False

    def fires(self, value: float) -> bool:
        """Return whether `value` is beyond the threshold at which the rule begins to hold."""
        return value < self.fires_at if self.is_below else value > self.fires_at

    def stays(self, value: float) -> bool:
        """Return whether a rule that holds still does at `value`."""
        return value < self.clears_at if self.is_below else value > self.clears_at


def above(fires_at: float, *, clear: float | None = None, for_s: float, clear_s: float) -> Threshold:
    """Return a threshold for what must not be above `fires_at`."""
    return Threshold(fires_at, fires_at if clear is None else clear, for_s, clear_s)


def below(fires_at: float, *, clear: float | None = None, for_s: float, clear_s: float) -> Threshold:
    """Return a threshold for what must not be below `fires_at`."""
    return Threshold(fires_at, fires_at if clear is None else clear, for_s, clear_s, is_below=True)


@dataclass(frozen=True, slots=True)
class Volume:
    """How much there has to be before a rule may begin to hold, so that a handful of events is no trouble."""

    of: Signal
    at_least: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A known trouble. `id` is its anchor in the runbook, and the title in small letters with hyphens.

    `what` says in one sentence what is wrong, with the signal's labels and `{value}` in braces. `cause` and `cure` are
    whole sentences for somebody who does not know the code. `degrades` is False for what says nothing of the process
    that sees it, and for what that reports at `/health` by another check. `only_outside` is for what no process sees
    of itself.
    """

    id: str
    title: str
    severity: Severity
    what: str
    cause: str
    cure: str
    signal: Signal
    threshold: Threshold
    volume: Volume | None = None
    unit: Unit = "number"
    degrades: bool = True
    only_outside: bool = False

    @property
    def runbook(self) -> str:
        """Return where the runbook says more."""
        return f"docs/runbook.md#{self.id}"
