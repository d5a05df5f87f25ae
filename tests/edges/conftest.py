"""Secured servers for all tests of this folder that a worker runs. None of them needs the stack."""

import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from clarion.broker import topics
from tests.edges.deployment import Deployment, clarion
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


@pytest.fixture(scope="session")
async def deployment(kafka: SecuredKafka, mongodb: SecuredMongodb, folder: Path) -> Deployment:
    """A deployment with topics, and with the permissions that the command gives its roles."""
    secrets = folder / "secrets"
    secrets.mkdir()
    made = Deployment(kafka, mongodb, secrets)
    await topics.apply(made.administrator())
    await clarion(made.administrator(), "access", "apply")
    made.have_users()
    return made
