"""Run `clarion local feed`: publish a sample event every 0.5 to 2.5 s, so that there is something to watch."""

import asyncio
import itertools
import logging
import random
from typing import Final

from clarion.client import Lane, Publisher, RequestError
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from deploy.local.demo import events
from deploy.local.processes import Spec

log = logging.getLogger(__name__)

SPEC: Final = Spec("feed", ("local", "feed"), tier=3, has_admin=False)
PAUSE_S: Final = (0.5, 2.5)


async def run(settings: Settings) -> None:
    """Publish the sample events again and again, each time in another order, until cancelled."""
    sample = events.deliveries()

    async def token() -> str:
        return mint(settings, sub="github", scope=PUBLISH)

    async with Publisher.http(settings.ingest_url, get_token=token) as publisher:
        for _ in itertools.count():
            found = list(events.told(sample, new_id()))
            random.shuffle(found)
            for notification in found:
                try:
                    await publisher.publish(
                        recipient=notification.recipient,
                        type=notification.type,
                        message=notification.message,
                        priority=Lane(notification.priority),
                        data=notification.data,
                        collapse_key=notification.collapse_key,
                    )
                except RequestError as error:
                    log.warning("a sample event was not published: %s", error)
                await asyncio.sleep(random.uniform(*PAUSE_S))  # noqa: S311 - the rhythm of a demonstration
