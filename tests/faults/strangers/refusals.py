"""A topic that refuses for a while what is sent to it, as one does whose limits somebody has lowered."""

import asyncio
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from clarion.broker import clients, topics
from clarion.settings import Settings

LITTLE: Final = 100  # bytes a batch: less than any of ours
_REFUSES_S: Final = 2.0


async def refuse(settings: Settings, name: str) -> None:
    """The topic `name` takes next to nothing for two seconds."""
    declared = next(topic for topic in topics.declared(settings) if topic.name == name)
    admin = clients.admin(settings)
    await clients.start(admin)
    try:
        await _alter(admin, name, dict(declared.config) | {"max.message.bytes": str(LITTLE)})
        await asyncio.sleep(_REFUSES_S)
    finally:
        await _alter(admin, name, declared.config)
        await admin.close()


async def _alter(admin: Any, name: str, configs: Any) -> None:
    """All of the topic's settings at once: what is not named is the broker's default afterwards."""
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
