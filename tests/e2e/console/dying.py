"""Records that nobody can process, as strangers send them."""

from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store.driver.database import Database
from tests.integration.stream.receipts.test_dead_letters import letters_of, send


async def died(live: Settings, stored: Database, user: str, *values: bytes) -> None:
    """Send values for a user straight to a lane, and wait until each is a dead letter."""
    await send(live, Names(live.prefix).notifications(Lane.LOW), user, *values)
    await letters_of(stored, user, len(values))
