"""What happens in a run of the comparison: who is connected, comes and goes, and what is published when. Pure, seeded.

The same seed makes the same schedule, so each arm and each round is asked for the same at the same moments.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any, Final, Literal

from clarion.contracts.lanes import Lane

# How many users there are of each kind; all but `away` are connected at the beginning.
STEADY: Final = 120
RESTLESS: Final = 50
MORTAL: Final = 15
SLEEPERS: Final = 15
AWAY: Final = 100
CONNECTED: Final = STEADY + RESTLESS + MORTAL + SLEEPERS

STAYING: Final = 5  # connected while memory is watched to grow: the replaced system sends each of them everything
VISITS_PER_S: Final = 5.0  # connections that come and go in that time
VISIT_S: Final = 0.5
GROWTH_RATE: Final = 4.0  # times the usual rate, in that time
REMINDER_EVERY: Final = 8  # of the calm phase's first half, each n-th is a reminder
REMINDER_S: Final = (3.0, 12.0)  # how far ahead it is due
DIES_AFTER: Final = 0.3  # of the calm phase; these users return on another device later
RETURNS_AFTER: Final = 0.6


class Phase(StrEnum):
    """The parts of a run, in their order. The last three each have a fault."""

    WARM = "warm"
    CALM = "calm"
    GROWTH = "growth"
    KILLED = "server killed"
    STOPPED = "database stopped"
    ASLEEP = "client asleep"


FAULTS: Final = (Phase.KILLED, Phase.STOPPED, Phase.ASLEEP)


class Kind(StrEnum):
    """What a user does in a run."""

    STEADY = "steady"
    RESTLESS = "restless"  # leaves and returns, and loses the network now and then
    MORTAL = "mortal"  # the device dies in the calm phase, without a word
    SLEEPER = "sleeper"  # the device sleeps in the last phase
    AWAY = "away"  # connects at the end, for the first time


@dataclass(frozen=True, slots=True)
class Said:
    """What a notification says, and how urgent it is."""

    type: str
    message: str
    priority: Lane
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Publish:
    """A notification to publish at `at`, in seconds from the phase's beginning; a reminder is due `due_s` later."""

    at: float
    key: str
    user: str
    said: Said
    due_s: float | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What a user's device does at `at`: it leaves with a close frame, connects, or loses its connection."""

    at: float
    user: str
    what: Literal["leave", "connect", "cut"]


@dataclass(frozen=True, slots=True)
class Course:
    """What happens in one phase. `deaths` is when the mortal devices die, if they do."""

    phase: Phase
    seconds: float
    publishes: Sequence[Publish]
    moves: Sequence[Move]
    deaths: float | None = None


def users(kind: Kind) -> list[str]:
    """Return the users of a kind."""
    sizes = {
        Kind.STEADY: STEADY,
        Kind.RESTLESS: RESTLESS,
        Kind.MORTAL: MORTAL,
        Kind.SLEEPER: SLEEPERS,
        Kind.AWAY: AWAY,
    }
    return [f"{kind}-{number:03}" for number in range(sizes[kind])]


def everybody() -> list[str]:
    """Return all users."""
    return [user for kind in Kind for user in users(kind)]


def courses(seed: int, said: Sequence[Said], seconds: Mapping[Phase, float], rate: float) -> list[Course]:
    """Return the whole schedule: each phase of `seconds`, with about `rate` notifications a second."""
    chance, keys = random.Random(seed), (f"n{number:06}" for number in count())
    told = _shuffled(chance, said)

    def steadily(phase: Phase, to: Sequence[str], per_s: float) -> list[Publish]:
        times = (number / per_s for number in range(int(per_s * seconds[phase])))
        return [Publish(at, next(keys), chance.choice(to), next(told)) for at in times]

    planned = [
        Course(Phase.WARM, seconds[Phase.WARM], steadily(Phase.WARM, everybody(), rate), ()),
        _calm(chance, seconds[Phase.CALM], steadily(Phase.CALM, everybody(), rate)),
        Course(
            Phase.GROWTH,
            seconds[Phase.GROWTH],
            steadily(Phase.GROWTH, [*users(Kind.STEADY)[:STAYING], *users(Kind.AWAY)], rate * GROWTH_RATE),
            _visits(seconds[Phase.GROWTH]),
        ),
    ]
    sleepers = users(Kind.SLEEPER)
    for fault in FAULTS:
        # half of what is published while devices sleep is for these, or few of theirs would be at stake
        to = everybody() + sleepers * (len(everybody()) // len(sleepers) if fault is Phase.ASLEEP else 0)
        planned.append(Course(fault, seconds[fault], steadily(fault, to, rate), ()))
    return planned


def _shuffled(chance: random.Random, said: Sequence[Said]) -> Iterator[Said]:
    while True:
        yield from chance.sample(said, len(said))


def _calm(chance: random.Random, seconds: float, publishes: Sequence[Publish]) -> Course:
    with_reminders = [
        Publish(one.at, one.key, one.user, one.said, chance.uniform(*REMINDER_S))
        if number % REMINDER_EVERY == 0 and one.at < seconds / 2
        else one
        for number, one in enumerate(publishes)
    ]
    moves = [move for user in users(Kind.RESTLESS) for move in _restless(chance, user, seconds)]
    moves += [Move(seconds * RETURNS_AFTER, user, "connect") for user in users(Kind.MORTAL)]
    return Course(Phase.CALM, seconds, with_reminders, sorted(moves, key=lambda one: one.at), seconds * DIES_AFTER)


def _restless(chance: random.Random, user: str, seconds: float) -> Iterator[Move]:
    """Yield how one of them leaves for a while, and how the network drops the connection once after the return."""
    leaves = chance.uniform(0, seconds * 0.4)
    yield Move(leaves, user, "leave")
    returns = leaves + chance.uniform(seconds * 0.05, seconds * 0.3)
    yield Move(returns, user, "connect")
    yield Move(chance.uniform(returns + seconds * 0.1, seconds * 0.95), user, "cut")


def _visits(seconds: float) -> list[Move]:
    """Return short visits of restless users, one after the other: connections come and go all the time."""
    visitors, moves = users(Kind.RESTLESS), list[Move]()
    for number in range(int((seconds - VISIT_S) * VISITS_PER_S)):
        at, user = number / VISITS_PER_S, visitors[number % len(visitors)]
        moves += [Move(at, user, "connect"), Move(at + VISIT_S, user, "leave")]
    return sorted(moves, key=lambda one: one.at)
