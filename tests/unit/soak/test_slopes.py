"""The slope of a soak's memory: a planted leak is found, and noise, peaks and steps are none."""

import random

import pytest

from tests.soak.slopes import Point, per_minute

EVERY_S = 10.0


def course(minutes: float, leak: float, chance: random.Random, noise: float = 1.0) -> list[Point]:
    """Memory in MiB that rises by `leak` a minute, in steps of whole MiB, as an allocator asks for it."""
    moments = [n * EVERY_S for n in range(int(minutes * 60 / EVERY_S))]
    return [Point(at, 100 + int(leak * at / 60) + chance.gauss(0, noise)) for at in moments]


def test_a_straight_line_has_its_slope() -> None:
    assert per_minute([Point(at, 3 * at) for at in (0.0, 10.0, 20.0, 50.0)]) == pytest.approx(180)


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_leak_is_found(seed: int) -> None:
    assert per_minute(course(11, 0.5, random.Random(seed))) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("seed", range(20))
def test_noise_has_no_slope(seed: int) -> None:
    assert abs(per_minute(course(11, 0.0, random.Random(seed)))) < 0.15


def test_a_quarter_of_peaks_has_no_slope() -> None:
    calm = [Point(n * EVERY_S, 100.0) for n in range(60)]
    late = [Point(one.at, one.value + 50) if n >= 48 else one for n, one in enumerate(calm)]
    assert per_minute(late) == 0


def test_one_step_in_the_middle_is_no_leak() -> None:
    step = [Point(n * EVERY_S, 100.0 + (n >= 10)) for n in range(60)]
    assert per_minute(step) == 0


def test_points_of_one_moment_have_no_slope() -> None:
    with pytest.raises(ValueError, match="two moments"):
        per_minute([Point(1, 1), Point(1, 2)])
