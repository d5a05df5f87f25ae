"""The verdict of a soak: leaks and what is left behind miss their bars, and what is bounded does not."""

import random

from tests.soak.account import Account
from tests.soak.usage import EVERY_S, Usage
from tests.soak.verdict import ID_BYTES, is_met, of_accounts, of_features, of_memory, of_rest

PER_S = 100.0
MIB = 1024 * 1024


def looks(minutes: float, bytes_each: float, *, kept: float = 0.0, tasks: int | None = 9) -> list[Usage]:
    """A process that `PER_S` notifications pass a second, and that keeps so many bytes of each."""
    chance = random.Random(1)
    return [
        Usage(
            at := n * EVERY_S,
            100 * MIB + at * PER_S * (bytes_each + kept) + chance.gauss(0, MIB / 4),
            files=20,
            threads=5,
            tasks=tasks,
            kept=at * PER_S * kept,
            passed=at * PER_S,
        )
        for n in range(int(minutes * 60 / EVERY_S))
    ]


def test_a_process_that_keeps_each_id_misses_its_bar() -> None:
    assert not is_met(of_memory({"lane": looks(11, ID_BYTES)}))
    assert not is_met(of_memory({"lane": looks(90, ID_BYTES)}))


def test_a_process_that_keeps_nothing_meets_its_bar() -> None:
    assert is_met(of_memory({"lane": looks(11, 0)}))
    assert is_met(of_memory({"lane": looks(90, 0)}))


def test_what_is_kept_by_design_is_no_leak() -> None:
    assert is_met(of_memory({"ingest": looks(11, 0, kept=200)}))


def test_servers_have_no_bar() -> None:
    assert is_met(of_memory({"mongodb": looks(11, 10 * ID_BYTES, tasks=None)}))


def test_a_quiet_process_may_fill_two_arenas() -> None:
    quiet = [Usage(n * EVERY_S, 50 * MIB + (n > 30) * MIB, 9, 5, 9) for n in range(66)]
    growing = [Usage(n * EVERY_S, 50 * MIB + n * MIB / 10, 9, 5, 9) for n in range(66)]
    assert is_met(of_memory({"observer": quiet}))
    assert not is_met(of_memory({"observer": growing}))


def test_descriptors_and_tasks_that_stay_are_missed() -> None:
    before = {"gateway": Usage(0, MIB, files=30, threads=6, tasks=20)}
    assert is_met(of_rest(before, {"gateway": Usage(9, MIB, files=34, threads=8, tasks=21)}))
    assert not is_met(of_rest(before, {"gateway": Usage(9, MIB, files=190, threads=6, tasks=20)}))
    assert not is_met(of_rest(before, {"gateway": Usage(9, MIB, files=30, threads=6, tasks=60)}))
    assert not is_met(of_rest(before, {"gateway": Usage(9, MIB, files=30, threads=190, tasks=20)}))


def test_one_lost_notification_fails_a_soak() -> None:
    account = Account("ann")
    assert is_met(of_accounts([account]))
    account.published("a", must_come=True)
    assert not is_met(of_accounts([account]))


def test_a_feature_that_nobody_used_fails_a_soak() -> None:
    assert not is_met(of_features({"collapsed": 0.0, "retracted": 3.0}))
