from collections.abc import AsyncGenerator
from typing import Final

import pytest

from deploy.local.stack import Stack
from tests.integration.clarion.ledger.world import World, world_of
from tests.own_settings import own_settings

PARTITIONS: Final = "16"  # so many that a round of records leaves some of them empty


@pytest.fixture(scope="module")
async def world(stack: Stack) -> AsyncGenerator[World]:
    """Processes, topics and a database of the module's own."""
    async with own_settings(stack, CLARION_PARTITIONS_LANE=PARTITIONS) as own, world_of(own) as made:
        yield made
