"""Look up in MongoDB what became of a notification. Publishing goes on while MongoDB is away."""

from clarion.contracts.api.status import Status
from clarion.store.driver.database import Database
from clarion.store.queries import sender_view
from clarion.telemetry.health import Dependency
from clarion.web.stored import asking


async def find(stored: Database, mongodb: Dependency, id_: str, sender: str | None) -> Status | None:
    """Return what became of a notification; None while nothing is known of it.

    With a `sender`, only that sender's notifications count. Raise `Unavailable` when MongoDB does not answer.
    """
    with asking(mongodb):
        return await sender_view.find(stored, id_, sender)
