"""What became of every notification of a run: lost, doubled, or brought to its user only by a new connection. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clarion.contracts.lanes import Lane
from tests.compare.workload import Phase


@dataclass(frozen=True, slots=True)
class Asked:
    """A notification as it was published: to whom, in which phase, and when its user could have it at the earliest."""

    user: str
    phase: Phase
    lane: Lane
    ready_at: float
    is_reminder: bool = False


@dataclass(slots=True)
class Verdict:
    """Keys of the notifications of one phase, by what became of them."""

    published: int = 0
    refused: list[str] = field(default_factory=list[str])  # the sender was told so, or was told nothing
    lost: list[str] = field(default_factory=list[str])  # accepted, and never at its user
    doubled: list[str] = field(default_factory=list[str])  # more than once at the application
    on_return: list[str] = field(default_factory=list[str])  # only after everybody had connected anew
    misled: list[str] = field(default_factory=list[str])  # handed to the application of somebody else


@dataclass(slots=True)
class Account:
    """Everything that was published and accepted, and everything that an application was handed."""

    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    accepted: set[str] = field(default_factory=set[str])
    first_at: dict[str, float] = field(default_factory=dict[str, float])
    last_at: dict[str, float] = field(default_factory=dict[str, float])
    times: Counter[str] = field(default_factory=Counter[str])
    misled: list[str] = field(default_factory=list[str])
    returned_at: float | None = None  # when everybody was made to connect anew, at the end of a run

    def handed(self, user: str, key: str, at: float) -> None:
        """Note that the application of `user` was handed a notification."""
        asked = self.asked.get(key)
        if asked is None or asked.user != user:
            self.misled.append(key)
            return
        self.times[key] += 1
        self.first_at.setdefault(key, at)
        self.last_at[key] = at

    def told(self, key: str) -> str:
        """Return, in words, to whom a notification was, and when it came."""
        asked = self.asked[key]
        said = f"{key} ({asked.lane}) to {asked.user}"
        if key not in self.times:
            return said
        after, again = self.first_at[key] - asked.ready_at, self.last_at[key] - self.first_at[key]
        return f"{said} after {after:.2f} s, the last time {again:.2f} s later"

    def missing(self, users: Iterable[str], *, reminders: bool = True) -> set[str]:
        """Return the accepted notifications of these users that have not come, with or without reminders."""
        of = set(users)
        return {
            key
            for key in self.accepted
            if key not in self.times and (asked := self.asked[key]).user in of and (reminders or not asked.is_reminder)
        }

    def verdicts(self) -> Mapping[Phase, Verdict]:
        """Return what became of the notifications of each phase.

        What was not accepted may have come all the same, as after an answer that was too late: it counts as refused,
        and is never lost.
        """
        found: defaultdict[Phase, Verdict] = defaultdict(Verdict)
        for key, asked in self.asked.items():
            verdict, times = found[asked.phase], self.times[key]
            verdict.published += 1
            if key not in self.accepted:
                verdict.refused.append(key)
            elif not times:
                verdict.lost.append(key)
            if times > 1:
                verdict.doubled.append(key)
            if times and self.returned_at is not None and self.first_at[key] > self.returned_at:
                verdict.on_return.append(key)
        for key in self.misled:
            found[self.asked[key].phase if key in self.asked else Phase.WARM].misled.append(key)
        return found

    def waits_s(self, phase: Phase, users: Iterable[str], *, reminders: bool = False) -> dict[Lane, list[float]]:
        """Return how long after they were ready these users were handed those of a phase, by lane."""
        of, found = set(users), dict[Lane, list[float]]()
        for key, at in self.first_at.items():
            asked = self.asked[key]
            if asked.phase is phase and asked.user in of and asked.is_reminder is reminders:
                found.setdefault(asked.lane, []).append(at - asked.ready_at)
        return found
