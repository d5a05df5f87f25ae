"""Look at whether what was committed is accounted for: stored, held, or dead."""

from random import Random
from typing import Final

from clarion.operating.ledger import look as ledger
from clarion.settings import Settings
from clarion.store.driver.database import Database
from clarion.telemetry import metrics
from services.stream.observer.looks import Look

_WITHIN_S: Final = 25.0


def ledger_look(settings: Settings, stored: Database) -> Look:
    """Return the look at the ledger. Of several observers one reads Kafka each time, and all export its result."""
    pick = Random()  # noqa: S311 - it chooses which records are looked at, and keeps no secret

    async def look() -> None:
        looked = await ledger.look(settings, stored, pick)
        metrics.unaccounted.set(looked.unaccounted)

    return Look("ledger", look, [metrics.unaccounted], ledger.EVERY.total_seconds(), _WITHIN_S)
