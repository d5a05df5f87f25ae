"""Checks are made at once, and one that fails or hangs hides no other."""

import asyncio
from typing import Any

from clarion.operating.doctor import examination
from clarion.operating.doctor.check import Check, Finding, Outcome, Result, Skip, failed, ok, warning
from clarion.operating.doctor.examination import Examination
from clarion.operating.system_health import overall
from clarion.store.queries.server import NotPermitted

SYSTEM: Any = None  # these checks ask nothing


def raising(error: Exception) -> Any:
    async def ask(_: object) -> Outcome:
        raise error

    return ask


async def fine(_: object) -> Outcome:
    return ok("all is well")


async def hangs(_: object) -> Outcome:
    await asyncio.sleep(3600)
    return ok("never")


async def made(ask: Any) -> Outcome:
    return (await examination.made(Check("it", "it", ask, within_s=0.05), SYSTEM)).outcome


async def test_a_check_that_raises_says_so() -> None:
    outcome = await made(raising(KeyError("lost")))
    assert outcome.result is Result.FAILED
    assert "KeyError('lost')" in outcome.evidence
    assert outcome.cure


async def test_a_check_that_hangs_ends_at_its_deadline() -> None:
    outcome = await made(hangs)
    assert outcome.result is Result.FAILED
    assert "did not end within 0.05 s" in outcome.evidence


async def test_what_cannot_be_asked_is_skipped_with_the_reason() -> None:
    assert await made(raising(Skip("give --id"))) == (Result.SKIPPED, "give --id", "")
    outcome = await made(raising(NotPermitted("not authorized")))
    assert outcome.result is Result.SKIPPED
    assert "clusterMonitor" in outcome.evidence


async def test_a_check_that_ends_well_is_told_as_it_said() -> None:
    assert await made(fine) == ok("all is well")


def test_the_exit_code_is_the_worst_result() -> None:
    def code(*outcomes: Outcome) -> int:
        return Examination(overall([]), [Finding("it", one, 0) for one in outcomes]).exit_code

    skipped, well = Outcome(Result.SKIPPED, "no"), ok("yes")
    assert code(well, skipped) == 0
    assert code(well, warning("so", "do"), skipped) == 1
    assert code(failed("so", "do"), warning("so", "do"), well) == 2


def test_each_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in examination.CHECKS]
    assert len(set(names)) == len(names)
