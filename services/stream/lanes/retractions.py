"""Take out of a window what was retracted while its release was on its way to the lane.

The lane stores, then looks for retractions. The receipts role notes a retraction first where the notification was held,
then in what is stored. Whatever the interleaving, one of the two sees the other (D-retract-both).
"""

from collections.abc import Sequence

import structlog

from clarion.contracts import times
from clarion.contracts.records.receipts import Op
from clarion.resilience.retry import retry
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from services.stream.steps.store import Outcome

log = structlog.get_logger()


async def withdraw(stored: Database, planned: Sequence[str], outcome: Outcome) -> None:
    """Mark those of the stored ids `planned` that were retracted as such, and do not emit them."""
    held, documents = scheduled.collection(stored), notifications.collection(stored)
    gone = await retry(lambda: scheduled.retracted(held, planned), "mongodb", *database.TRANSIENT)
    if gone:
        change = Change(Op.RETRACTED, tuple(gone), times.now())
        refused = await retry(lambda: receipt_updates.fold(documents, [change]), "mongodb", *database.TRANSIENT)
        if refused:  # these are not emitted either: their sender has retracted them
            log.error(
                "MongoDB refused retractions for good, but their notifications are not sent",
                refused=len(refused),
                first=refused[0].error,
            )
        outcome.items = [item for item in outcome.items if item.id not in gone]
