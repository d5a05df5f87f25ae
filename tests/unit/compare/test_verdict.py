"""What the goals make of figures: kept or missed by their own bars, and a loss of Clarion's fails the run."""

from collections.abc import Mapping

import pytest

from tests.compare.figures import BEFORE, CLARION, CPU, ERRORS, LOST, MEASURES, NETWORK, SOCKETIO
from tests.compare.verdict import AGAINST_BEFORE, AGAINST_SOCKETIO, rows
from tests.report import Row


def figures(**named: float) -> dict[str, float]:
    return dict.fromkeys((measure.name for measure in MEASURES), 0.0) | named


def found(ours: Mapping[str, float], before: Mapping[str, float], socketio: Mapping[str, float]) -> dict[str, Row]:
    rounds = {arm: [figures(**one)] for arm, one in ((CLARION, ours), (BEFORE, before), (SOCKETIO, socketio))}
    return {row.name: row for row in rows(rounds)}


@pytest.mark.parametrize(("ours", "is_kept"), [(25.0, True), (25.1, False)])
def test_network_has_to_be_less_by_three_quarters(ours: float, *, is_kept: bool) -> None:
    row = found({NETWORK.name: ours}, {NETWORK.name: 100.0}, {})[f"{NETWORK.name}, {AGAINST_BEFORE}"]
    assert (row.ok, row.bar, row.value) == (is_kept, "≤ −75 %", pytest.approx(ours - 100))


def test_against_socketio_it_is_enough_to_be_no_worse() -> None:
    made = found({CPU.name: 10.0}, {CPU.name: 30.0}, {CPU.name: 10.0})
    assert made[f"{CPU.name}, {AGAINST_SOCKETIO}"].ok
    assert not found({CPU.name: 10.1}, {CPU.name: 30.0}, {CPU.name: 10.0})[f"{CPU.name}, {AGAINST_SOCKETIO}"].ok


def test_where_theirs_is_none_ours_has_to_be_none() -> None:
    name = f"{ERRORS.name}, {AGAINST_BEFORE}"
    assert found({}, {}, {})[name].ok
    missed = found({ERRORS.name: 2.0}, {}, {})[name]
    assert (missed.ok, missed.value, missed.unit) == (False, 2.0, "more")


def test_no_connection_errors_are_promised_whatever_theirs_are() -> None:
    name = f"{ERRORS.name}, {AGAINST_BEFORE}"
    assert not found({ERRORS.name: 1.0}, {ERRORS.name: 1000.0}, {})[name].ok
    assert found({}, {ERRORS.name: 1000.0}, {})[name].ok


@pytest.mark.parametrize("measure", LOST)
def test_a_loss_of_clarion_fails_the_run(measure: object) -> None:
    name = getattr(measure, "name", "")
    failing = [row for row in found({name: 1.0}, {}, {}).values() if row.bar == "= 0" and not row.ok]
    assert [row.name for row in failing] == [f"{CLARION}: {name}"]
    assert not [row for row in found({}, {name: 1.0}, {name: 1.0}).values() if row.bar == "= 0" and not row.ok]


def test_a_single_loss_in_one_of_two_rounds_is_not_rounded_away() -> None:
    rounds = {CLARION: [figures(), figures(**{LOST[0].name: 1.0})]}
    failing = [row for row in rows(rounds) if row.bar == "= 0" and not row.ok]
    assert len(failing) == 1


def test_without_the_others_there_are_no_goals() -> None:
    assert not [row for row in rows({CLARION: [figures()]}) if row.ok is not None and row.bar != "= 0"]
