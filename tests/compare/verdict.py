"""What the figures of all systems say together: rows for the report, and whether Clarion keeps its goals. Pure."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from tests.compare.figures import (
    BEFORE,
    CALM_LOST,
    CLARION,
    LOST,
    MEASURES,
    MISLED,
    SOCKETIO,
    Figures,
    Measure,
)
from tests.report import Row, none

AGAINST_BEFORE: Final = "against the replaced system"
AGAINST_SOCKETIO: Final = "against Socket.IO + BullMQ"
_NEVER: Final = (CALM_LOST, *LOST, MISLED)


def means(rounds: Mapping[str, Sequence[Figures]]) -> dict[str, Figures]:
    """Return each system's figures over its rounds."""
    return {
        arm: {measure.name: fmean(one[measure.name] for one in ours) for measure in MEASURES}
        for arm, ours in rounds.items()
        if ours
    }


def rows(rounds: Mapping[str, Sequence[Figures]]) -> list[Row]:
    """Return every figure of every system, then each goal with how far Clarion is from it, kept or missed."""
    found = means(rounds)
    plain = [
        Row(f"{measure.name}: {arm}", found[arm][measure.name], measure.unit) for measure in MEASURES for arm in found
    ]
    goals = [row for measure in MEASURES if measure.is_goal and CLARION in found for row in _goals(measure, found)]
    return plain + goals + never(rounds.get(CLARION, ()))


def _goals(measure: Measure, found: Mapping[str, Figures]) -> list[Row]:
    made: list[Row] = []
    ours = found[CLARION][measure.name]
    if BEFORE in found:
        made.append(_less(f"{measure.name}, {AGAINST_BEFORE}", ours, found[BEFORE][measure.name], measure.reduction))
    if SOCKETIO in found:
        made.append(_less(f"{measure.name}, {AGAINST_SOCKETIO}", ours, found[SOCKETIO][measure.name], None))
    return made


def _less(name: str, ours: float, theirs: float, reduction: float | None) -> Row:
    """Return the change against `theirs` in per cent; where theirs is nothing, ours less theirs."""
    if theirs <= 0:
        return Row(name, ours - theirs, "more", "≤ 0", ours <= theirs)
    bar = f"≤ −{reduction * 100:g} %" if reduction else "≤ 0 %"
    return Row(name, (ours / theirs - 1) * 100, "%", bar, ours <= theirs * (1 - (reduction or 0.0)))


def never(clarion: Sequence[Figures]) -> list[Row]:
    """Return what may not be in any round: these rows fail the run."""
    return [none(f"{CLARION}: {one.name}", round(sum(each[one.name] for each in clarion))) for one in _NEVER if clarion]
