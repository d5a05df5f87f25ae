"""Gathers what is known of one notification, and tells its story."""

import asyncio
from typing import Final

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.topics import Names
from clarion.operating.trace import kafka_facts
from clarion.operating.trace.kafka_facts import KafkaFacts
from clarion.operating.trace.story import Told, nothing_of, tell
from clarion.settings import Settings
from clarion.store.driver import database
from clarion.store.queries import notification_facts
from clarion.store.queries.notification_facts import NotificationFacts

_MONGODB_S: Final = 6.0
_KAFKA_S: Final = 20.0  # its searches have shorter limits, and say when they have reached them


async def trace(settings: Settings, id_: str) -> Told:
    """Return the story of the notification `id_`, a canonical UUID.

    A server that does not answer is a note of the story. Reads only, and takes 52 s at most.
    """
    facts = await _from_mongodb(settings, id_)
    kafka = await _from_kafka(settings, facts or nothing_of(id_))
    if facts is not None and kafka is not None and kafka.taken and not facts.stored:
        # it may have been stored since MongoDB was asked, which must not be told as a loss
        again = await _from_mongodb(settings, id_)
        if again is not None and again.stored:
            facts, kafka = again, await _from_kafka(settings, again)
    return tell(facts, kafka, id_, times.now())


async def _from_mongodb(settings: Settings, id_: str) -> NotificationFacts | None:
    stored = database.connect(settings)
    try:
        async with asyncio.timeout(_MONGODB_S):
            return await notification_facts.find(stored, Names(settings.prefix), id_)
    except (*database.TRANSIENT, TimeoutError):
        return None
    finally:
        database.close(stored)


async def _from_kafka(settings: Settings, facts: NotificationFacts) -> KafkaFacts | None:
    try:
        async with asyncio.timeout(_KAFKA_S):
            return await kafka_facts.find(settings, facts)
    except clients.SEND_ERRORS:
        return None
