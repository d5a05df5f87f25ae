"""What became of a notification, from MongoDB. Nothing else at ingest asks it: publishing goes on without it."""

from clarion.contracts.status import Status
from clarion.store import database, sender_view
from clarion.store.database import Database
from clarion.telemetry.health import Dependency
from clarion.web.problem_responses import Unavailable


async def find(stored: Database, mongodb: Dependency, id_: str, sender: str | None) -> Status | None:
    """A notification of `sender` (None: of anybody); None until it is stored. Raises `Unavailable`."""
    if mongodb.up is False:
        raise Unavailable(f"MongoDB is down, nothing can be looked up: {mongodb.error}")
    try:
        return await sender_view.find(stored, id_, sender)
    except database.TRANSIENT as error:
        raise Unavailable(f"MongoDB did not answer: {error}") from error
