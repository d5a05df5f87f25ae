"""Do the receipts role's work on dead letters: fold them into MongoDB, where operators find them."""

from dataclasses import dataclass

import structlog

from clarion.resilience.retry import retry
from clarion.store.dead_letters import folding
from clarion.store.driver import database
from clarion.store.driver.database import Collection, WriteFailure
from services.stream.engine.stage_order import Stage, Ticket
from services.stream.engine.windows import Window
from services.stream.receipts.deaths import deaths_of

log = structlog.get_logger()


@dataclass(slots=True)
class DeadLettersWork:
    """The work on windows of the topic of dead letters."""

    letters: Collection

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        """Fold the window, which is done when this returns. What MongoDB can never take is only logged.

        It stays in Kafka for as long as its letter would, and stops nothing that follows.
        """
        deaths = list(deaths_of(window.batches))

        async def store() -> list[WriteFailure]:
            ticket.check()
            return await folding.fold(self.letters, deaths)

        async with ticket.at(Stage.STORE):  # the deaths of a letter are folded in their order
            refused = await retry(store, "mongodb", *database.TRANSIENT)
        for failure in refused:
            log.error(
                "MongoDB refused a dead letter for good, which is in Kafka only",
                letter=deaths[failure.index].id,
                error=failure.error,
            )
