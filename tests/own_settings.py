"""The stack's servers under topics and a database of one's own, which go with it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from clarion.broker import clients, topics
from clarion.contracts.ids import new_id
from clarion.settings import Settings
from clarion.store.driver import database
from deploy.local.stack import Stack


@asynccontextmanager
async def own_settings(stack: Stack, **changed: str) -> AsyncGenerator[Settings]:
    """Settings with topics, as declared, and a database of the block's own.

    They are deleted at its end: with those of some hundred tests, a broker needs a minute to start again.
    """
    prefix = f"t{new_id()[-8:]}-"
    env = {**stack.env, "CLARION_PREFIX": prefix, "CLARION_DATABASE": prefix.rstrip("-"), **changed}
    settings = Settings.from_env(env)
    await topics.apply(settings)
    yield settings
    await _delete_topics(settings)
    connection = database.connect(settings)
    await connection.client.drop_database(connection.name)
    database.close(connection)


async def _delete_topics(settings: Settings) -> None:
    """Delete the topics of these settings' prefix, with those that Faust made for itself."""
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(settings.prefix)])
    finally:
        await admin.close()
