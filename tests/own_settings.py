"""Servers that run, under topics and a database of one's own, which go with the block that has them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from clarion.broker import clients, topics
from clarion.contracts.ids import new_id
from clarion.settings import Settings
from clarion.store.driver import database
from deploy.local.stack import Stack


@asynccontextmanager
async def own_settings(stack: Stack, **changed: str) -> AsyncGenerator[Settings]:
    """Settings of the stack with topics, as declared, and a database of the block's own."""
    async with own_environment({**stack.env, **changed}) as env:
        yield Settings.from_env(env)


@asynccontextmanager
async def own_environment(env: Mapping[str, str]) -> AsyncGenerator[dict[str, str]]:
    """The environment with topics, as declared, and a database of the block's own.

    They are deleted at its end: with those of some hundred tests, a broker needs a minute to start again.
    """
    prefix = f"t{new_id()[-8:]}-"
    own = {**env, "CLARION_PREFIX": prefix, "CLARION_DATABASE": prefix.rstrip("-")}
    settings = Settings.from_env(own)
    try:
        await topics.apply(settings)
        yield own
    finally:
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
