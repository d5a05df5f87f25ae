"""Secured servers for all tests of this folder that a worker runs. None of them needs the stack."""

import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from tests.edges.kafka_server import SecuredKafka, secured_kafka
from tests.edges.mongodb_server import SecuredMongodb, secured_mongodb


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clarion-edges-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
async def kafka(folder: Path) -> AsyncGenerator[SecuredKafka]:
    async with secured_kafka(folder) as running:
        yield running


@pytest.fixture(scope="session")
async def mongodb(folder: Path) -> AsyncGenerator[SecuredMongodb]:
    async with secured_mongodb(folder) as running:
        yield running
