"""What became of a notification, from MongoDB. Nothing else at ingest asks it: publishing goes on without it."""

from clarion.contracts.api.status import Status
from clarion.store.driver.database import Database
from clarion.store.queries import sender_view
from clarion.telemetry.health import Dependency
from clarion.web.stored import asking


async def find(stored: Database, mongodb: Dependency, id_: str, sender: str | None) -> Status | None:
    """A notification of `sender` (None: of anybody); None until it is stored. Raises `Unavailable`."""
    with asking(mongodb):
        return await sender_view.find(stored, id_, sender)
