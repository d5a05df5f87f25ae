"""One schedule for all systems: seeded, within its bounds, and with everything that the comparison is to show."""

from collections import Counter

import pytest

from clarion.contracts.lanes import LANES
from tests.compare.main import github
from tests.compare.workload import (
    FAULTS,
    STAYING,
    VISITS_PER_S,
    Course,
    Kind,
    Phase,
    courses,
    everybody,
    users,
)

SECONDS = dict.fromkeys(Phase, 30.0)
RATE = 20.0


def planned(seed: int = 1) -> list[Course]:
    return courses(seed, github(), SECONDS, RATE)


def course(phase: Phase) -> Course:
    return next(one for one in planned() if one.phase is phase)


def test_a_seed_makes_one_schedule() -> None:
    assert planned(3) == planned(3)
    assert planned(3) != planned(4)


def test_phases_come_in_their_order_each_once() -> None:
    assert [one.phase for one in planned()] == list(Phase)


@pytest.mark.parametrize("phase", Phase)
def test_everything_happens_within_its_phase(phase: Phase) -> None:
    one = course(phase)
    assert all(0 <= publish.at < SECONDS[phase] for publish in one.publishes)
    assert all(0 <= move.at <= SECONDS[phase] for move in one.moves)
    assert [publish.at for publish in one.publishes] == sorted(publish.at for publish in one.publishes)
    assert [move.at for move in one.moves] == sorted(move.at for move in one.moves)


def test_every_notification_has_a_key_of_its_own() -> None:
    keys = [publish.key for one in planned() for publish in one.publishes]
    assert len(set(keys)) == len(keys)


def test_the_calm_phase_has_all_priorities_and_reminders() -> None:
    published = course(Phase.CALM).publishes
    lanes = Counter(one.said.priority for one in published)
    assert all(lanes[lane] > 20 for lane in LANES)
    reminders = [one for one in published if one.due_s is not None]
    assert len(reminders) > 20
    assert all(one.at + (one.due_s or 0) < SECONDS[Phase.CALM] for one in reminders)


def test_users_who_are_away_are_published_to() -> None:
    to = Counter(one.user for one in course(Phase.CALM).publishes)
    assert sum(to[user] for user in users(Kind.AWAY)) > RATE * SECONDS[Phase.CALM] / 5


def test_the_restless_return_before_they_are_cut() -> None:
    for user in users(Kind.RESTLESS):
        mine = [move for move in course(Phase.CALM).moves if move.user == user]
        assert [move.what for move in mine] == ["leave", "connect", "cut"]


def test_the_mortal_return_after_they_died() -> None:
    calm = course(Phase.CALM)
    mine = [move for move in calm.moves if move.user in users(Kind.MORTAL)]
    assert len(mine) == len(users(Kind.MORTAL))
    assert all(move.what == "connect" and move.at > (calm.deaths or 0) > 0 for move in mine)


def test_growth_has_few_connections_and_many_visits() -> None:
    growth = course(Phase.GROWTH)
    to = {one.user for one in growth.publishes}
    assert to <= {*users(Kind.STEADY)[:STAYING], *users(Kind.AWAY)}
    assert len(growth.moves) > SECONDS[Phase.GROWTH] * VISITS_PER_S
    now: set[str] = set()
    for move in growth.moves:
        assert (move.user in now) is (move.what == "leave")
        now ^= {move.user}
    assert now == set()


def test_half_of_what_is_published_asleep_is_for_sleepers() -> None:
    to = Counter(one.user in users(Kind.SLEEPER) for one in course(Phase.ASLEEP).publishes)
    assert to[True] > to[False] * 0.7


def test_kinds_of_users_have_nobody_in_common() -> None:
    assert len(set(everybody())) == len(everybody())
    assert not any(one.moves for one in planned() if one.phase in FAULTS)
