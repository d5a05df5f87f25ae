"""Keep looking: each look has a period and a deadline of its own, and one that fails keeps the others from nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from pymongo.errors import PyMongoError

from clarion.store.driver.failures import in_words
from clarion.telemetry import metrics
from clarion.telemetry.metrics.reading import Reading

log = structlog.get_logger()


@dataclass(slots=True)
class Look:
    """Something to look at every `every_s` seconds, within `within_s`: `look` tells its `readings` what it sees.

    When a look fails, its readings are gone until it succeeds: an old value would look like a present one. `failure`
    is why the latest one has failed; empty if it has not.
    """

    name: str  # one of `labels.LOOK`
    look: Callable[[], Awaitable[None]]
    readings: Sequence[Reading]
    every_s: float
    within_s: float
    failure: str = field(default="", init=False)

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self.every_s)

    async def once(self) -> None:
        """Look once. A failure is counted, logged when it is another one than before, and not raised."""
        failure = ""
        try:
            async with asyncio.timeout(self.within_s):
                await self.look()
        except TimeoutError:
            failure = f"there was no answer within {self.within_s:g} s"
        except PyMongoError as error:  # whose text has the state of each server, and buries the cause
            failure = in_words(error)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, this look has failed and others go on
            failure = f"{type(error).__name__}: {error}"
        metrics.look_failing.labels(self.name).set(bool(failure))
        if failure:
            metrics.looks_failed.labels(self.name).inc()
            for reading in self.readings:
                reading.clear()
        if failure != self.failure:
            self._say(failure)
        self.failure = failure

    def trouble(self) -> str:
        """Return, for the health report, that the latest look has failed, and why; empty if it has not."""
        return f"the look at {self.name} fails: {self.failure}" if self.failure else ""

    def _say(self, failure: str) -> None:
        if failure:
            log.warning(
                "a look of the observer failed, and what it tells is missing until one succeeds",
                look=self.name,
                error=failure,
            )
        else:
            log.info("a look of the observer succeeds again", look=self.name)
