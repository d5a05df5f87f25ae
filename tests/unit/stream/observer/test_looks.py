"""A look that fails takes back what it told, is counted, and is tried again; the others go on."""

import asyncio
from collections.abc import Awaitable, Callable

from pymongo.errors import ServerSelectionTimeoutError
from structlog.testing import capture_logs

from clarion.rules.troubles import TROUBLES
from clarion.rules.watch import Watch
from clarion.telemetry import metrics
from clarion.telemetry.metrics.reading import Reading
from clarion.telemetry.monitor import registered
from services.stream.observer.looks import Look
from tests.unit.counted import counted


def look(what: Callable[[], Awaitable[None]], *readings: Reading, within_s: float = 5.0) -> Look:
    return Look("disk", what, readings, every_s=0.001, within_s=within_s)


def value(reading: Reading) -> list[float]:
    return [sample.value for family in reading.collect() for sample in family.samples]


async def test_what_a_failed_look_told_is_gone_until_it_succeeds() -> None:
    free, before = Reading("test_free", "words", []), counted(metrics.looks_failed, "disk")
    answers: list[float | Exception] = [0.5, OSError("no"), 0.25]

    async def ask() -> None:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        free.set(answer)

    asking = look(ask, free)
    await asking.once()
    assert (value(free), asking.trouble()) == ([0.5], "")
    await asking.once()
    assert (value(free), asking.trouble()) == ([], "the look at disk fails: OSError: no")
    assert counted(metrics.looks_failed, "disk") == before + 1
    await asking.once()
    assert (value(free), asking.trouble()) == ([0.25], "")


async def test_only_looks_that_fail_for_a_minute_blind_the_observer() -> None:
    watch = Watch([rule for rule in TROUBLES if rule.id == "observer-blind"])
    does_fail = False

    async def ask() -> None:
        if does_fail:
            raise OSError("no")

    asking = look(ask)
    found: list[int] = []
    for at_s in range(0, 600, 5):
        does_fail = at_s == 100 or at_s >= 300
        await asking.once()
        if watch.look(at_s, registered(watch.history.names, metrics.OBSERVER)):
            found.append(at_s)
    assert (found[0], found[-1]) == (360, 595)


async def test_a_look_that_hangs_ends_at_its_deadline() -> None:
    asking = look(lambda: asyncio.sleep(3_600), within_s=0.01)
    await asking.once()
    assert asking.trouble() == "the look at disk fails: there was no answer within 0.01 s"


async def test_a_server_that_is_away_is_told_in_words() -> None:
    async def ask() -> None:
        raise ServerSelectionTimeoutError("a.example:27017: refused, Timeout: 5s, Topology Description: <…>")

    asking = look(ask)
    await asking.once()
    assert "Topology" not in asking.trouble()
    assert "primary" in asking.trouble()


async def test_a_look_goes_on_after_failures_and_logs_each_cause_once() -> None:
    done = asyncio.Event()
    times = 0

    async def ask() -> None:
        nonlocal times
        times += 1
        if times > 5:
            done.set()
            return
        raise OSError("no" if times < 4 else "never")

    with capture_logs() as lines:
        task = asyncio.create_task(look(ask).keep())
        async with asyncio.timeout(5):
            await done.wait()
            await asyncio.sleep(0.01)
        task.cancel()
    assert [line.get("error") for line in lines] == ["OSError: no", "OSError: never", None]
