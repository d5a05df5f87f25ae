"""Look at how many dead letters are kept and wait for somebody to deal with them, by reason."""

from typing import Final

from clarion.contracts.records.dead_letters import Reason
from clarion.store.dead_letters import queries
from clarion.store.driver.database import Collection
from clarion.telemetry import metrics
from services.stream.observer.looks import Look

_EVERY_S: Final = 10.0
_WITHIN_S: Final = 10.0


def dead_letters_look(letters: Collection) -> Look:
    """Return the look at the dead letters that are kept; reasons without any are 0."""

    async def look() -> None:
        found = await queries.kept(letters, tuple(Reason))
        metrics.dead_letters.tell({(str(reason),): count for reason, count in found.items()})

    return Look("dead letters", look, [metrics.dead_letters], _EVERY_S, _WITHIN_S)
