"""Figures of a round are what was counted, a notification, and each fault has its own row of losses."""

import pytest

from clarion.contracts.lanes import LANES, Lane
from tests.compare.account import Account, Asked
from tests.compare.database_counters import Counted
from tests.compare.figures import (
    CALM_LOST,
    CONNECTIONS,
    CPU,
    DATABASE,
    DOUBLED,
    ERRORS,
    LATE,
    LOST,
    MEASURES,
    NETWORK,
    PEAK,
    PEAK_OWN,
    figures,
    p99,
)
from tests.compare.measures import Sample, Use, split
from tests.compare.one_round import Found
from tests.compare.workload import FAULTS, Phase

USER = "steady-000"


def found() -> Found:
    """Ten notifications in the calm phase, of which two are reminders, and one in each of the others."""
    account = Account()
    for number in range(10):
        asked = Asked(USER, Phase.CALM, LANES[number % 4], 100.0, is_reminder=number >= 8)
        account.asked[f"calm-{number}"] = asked
    for phase in Phase:
        account.asked[phase] = Asked(USER, phase, Lane.NORMAL, 200.0)
    account.accepted |= set(account.asked)
    for key, asked in account.asked.items():
        account.handed(USER, key, asked.ready_at + 0.25)
    samples = [Sample(0, Use(50, 100), 4), Sample(1, Use(90, 80), 9), Sample(2, Use(60, 120), 7)]
    return Found(
        account,
        cpu=Use(1.1, 0.22),
        database=Counted(33, 22_000),
        received_bytes=11 * 1024,
        samples=samples,
        failures=2,
        errors=3,
    )


def test_costs_are_a_notification_of_the_calm_phase() -> None:
    made = figures(found())
    assert made[NETWORK.name] == 1.0
    assert made[CPU.name] == pytest.approx(120)
    assert made[DATABASE.name] == pytest.approx(2)
    assert made[ERRORS.name] == 5


def test_a_peak_is_of_one_moment() -> None:
    made = figures(found())
    assert (made[PEAK.name], made[PEAK_OWN.name], made[CONNECTIONS.name]) == (180, 90, 9)


def test_every_measure_has_a_figure() -> None:
    assert set(figures(found())) == {measure.name for measure in MEASURES}


def test_reminders_are_late_from_when_they_were_due() -> None:
    assert figures(found())[LATE.name] == pytest.approx(0.25)


@pytest.mark.parametrize(("fault", "lost", "doubled"), list(zip(FAULTS, LOST, DOUBLED, strict=True)))
def test_a_loss_and_a_double_show_in_their_fault(fault: Phase, lost: object, doubled: object) -> None:
    one = found()
    one.account.handed(USER, fault, 300.0)
    rows = figures(one)
    assert [name for name, value in rows.items() if value and name.endswith("doubled")] == [
        getattr(doubled, "name", "")
    ]
    del one.account.times[fault]
    rows = figures(one)
    assert [name for name, value in rows.items() if value and name.endswith("lost")] == [getattr(lost, "name", "")]


@pytest.mark.parametrize("phase", [Phase.WARM, Phase.CALM, Phase.GROWTH])
def test_a_loss_without_a_fault_shows(phase: Phase) -> None:
    one = found()
    del one.account.times[phase]
    assert figures(one)[CALM_LOST.name] == 1


def test_servers_are_apart_from_own_processes() -> None:
    used = split({"web": 1.0, "worker": 2.0, "redis": 4.0, "mongodb": 8.0}, {"redis", "mongodb"})
    assert (used.own, used.servers, used.total) == (3.0, 12.0, 15.0)


def test_p99_of_few_is_near_the_greatest() -> None:
    assert p99([3.0]) == 3.0
    assert p99([1.0] * 99 + [5.0]) == pytest.approx(1.04)
