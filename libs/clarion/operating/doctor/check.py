"""What a check is, and what it finds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from clarion.operating.doctor.system import System

DEADLINE_S: Final = 12.0  # of a check; each question within it has a shorter one


class Result(StrEnum):
    """How a check ended. `skipped` says nothing about the system; its evidence is the reason."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Outcome(NamedTuple):
    """What a check found: its evidence, and what to do about it, which is empty when there is nothing to do."""

    result: Result
    evidence: str
    cure: str = ""


class Skip(Exception):
    """Raised by a check that cannot be made. The message is the reason."""


def ok(evidence: str) -> Outcome:
    """Return that all is well."""
    return Outcome(Result.OK, evidence)


def warning(evidence: str, cure: str) -> Outcome:
    """Return that something is not as it should be, though users need not notice yet."""
    return Outcome(Result.WARNING, evidence, cure)


def failed(evidence: str, cure: str) -> Outcome:
    """Return that something is wrong that users notice, or will."""
    return Outcome(Result.FAILED, evidence, cure)


def judged(failures: Sequence[str], warnings: Sequence[str], otherwise: str, cure: str) -> Outcome:
    """Return the outcome of a check that may find several things wrong; `otherwise` is the evidence that all is well.

    With failures, the warnings are told as well.
    """
    found = "; ".join([*failures, *warnings])
    if failures:
        return failed(found, cure)
    return warning(found, cure) if warnings else ok(otherwise)


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name, which `docs/operating.md` has a row for, and what it looks at."""

    name: str
    looks_at: str
    ask: "Callable[[System], Awaitable[Outcome]]"
    within_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and how long it took."""

    check: str
    outcome: Outcome
    seconds: float
