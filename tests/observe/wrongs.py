"""What goes wrong now and then in any system, done once each, so that there is something on the panels that show it."""

import itertools
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.store.driver import database
from tests.faults.strangers import doors, librdkafka, records, refusals
from tests.faults.strangers.doors import Doors
from tests.faults.strangers.librdkafka import Sent
from tests.observe.world import World

_UPGRADES: Final = 60
_FEW: Final = 40
_REFUSED_COLLECTION: Final = "deaths"


async def do(at: World) -> None:
    """Bad, odd and repeated records, refused requests and sockets, a topic and a collection that refuse."""
    settings, chance, sent = at.settings, random.Random(1), Sent()
    names = Names(settings.prefix)
    async with _refusing(at):
        odd = itertools.islice(records.odd(chance, settings.partitions_lane), _FEW)
        mixed = [*itertools.islice(records.bad(chance), _FEW), *odd, *itertools.islice(records.repeats(chance), _FEW)]
        await librdkafka.send(settings, mixed, sent)
        await librdkafka.send(settings, records.junk_in_mailboxes(chance, settings.partitions_deliveries), sent)
        gateways = [at.stack.ports[name] for name in at.stack.ports if name in ("gateway-1", "gateway-2")]
        asked = Doors(settings, at.stack.ports["ingest"], gateways)
        await doors.odd_requests(asked, chance)
        await doors.upgrades_without_a_token(asked, chance, _UPGRADES)
        await refusals.refuse(settings, names.notifications(Lane.LOW))


@asynccontextmanager
async def _refusing(at: World) -> AsyncGenerator[None]:
    """MongoDB takes nothing new into one collection, which only notes of dead letters go to."""
    connection = database.connect(at.settings)
    try:
        await connection.command("collMod", _REFUSED_COLLECTION, validator={"_id": "nothing"})
        yield
        await connection.command("collMod", _REFUSED_COLLECTION, validator={})
    finally:
        database.close(connection)
