"""How long everything is kept: the broker's topics against their declaration, and every collection's end of life."""

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from clarion.broker import clients, topics
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes
from clarion.store.driver.database import Database
from tests.conftest import until

KEPT_OTHERWISE = {"sessions", "mailboxes", "topics", "deployment", "ledger"}


async def test_topics_made_as_declared_do_not_differ(settings: Settings) -> None:
    assert await topics.check(settings) == ([], {})


async def test_each_difference_of_a_topic_is_told(settings: Settings) -> None:
    names, admin = Names(settings.prefix), clients.admin(settings)
    configs = {
        "retention.ms": "1000",
        "max.message.bytes": "2048",
        "cleanup.policy": "compact",
        "compression.type": "gzip",
        "message.timestamp.type": "CreateTime",
    }
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, names.scheduled, configs=configs)])
        await admin.delete_topics([names.receipts])
    finally:
        await admin.close()
    found: list[str] = []

    async def are_all_seen() -> bool:
        found[:] = (await topics.check(settings)).differences
        return len(found) == 1 + len(configs)

    await until(are_all_seen)
    assert f"{names.receipts} is missing: run `clarion topics apply`" in found
    for name, value in configs.items():
        assert any(line.startswith(f"{names.scheduled} has {name}={value}, ") for line in found)


async def test_every_collection_has_an_end_of_life(stored: Database) -> None:
    """By a TTL index. Sessions are swept; a mailbox and a topic have one document each, whose epochs never restart.

    How far the ledger was read is one document as well.
    """
    await indexes.ensure(stored)
    for name in await stored.list_collection_names():
        found = await stored[name].index_information()
        expiring = [index for index in found.values() if index.get("expireAfterSeconds") == 0]
        assert [index["key"] for index in expiring] == ([] if name in KEPT_OTHERWISE else [[("purge_at", 1)]]), name
