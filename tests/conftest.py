"""One real stack for the whole session: Kafka, MongoDB and every service as processes of their own."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from inspect import isawaitable
from pathlib import Path

import pytest

from clarion.client import HttpPublisher, Publisher, Subscriber
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store.driver import database
from clarion.store.driver.database import Database
from deploy.local.stack import Plan, Stack
from tests.own_settings import own_settings
from tests.temporary_stacks import temporary_stack

UNTIL_S = 30.0

SAFETY_NET_S = 4.0  # so often gateways look for what no other way has delivered: there must never be anything

# Tests write much to few users; what limits do is tested by services of the test's own.
_SETTINGS = {
    "CLARION_RECIPIENT_RATE": "0",
    "CLARION_SENDER_RATE": "0",
    "CLARION_SAFETY_NET_S": str(SAFETY_NET_S),
}
os.environ |= _SETTINGS


def pytest_configure() -> None:
    """A shell that took `clarion local env` means its stack: tests have one of their own.

    Not when this is imported, as processes of benches do: they have their settings from there.
    """
    for name in [name for name in os.environ if name.startswith("CLARION_") and name not in _SETTINGS]:
        del os.environ[name]


@pytest.fixture(scope="session")
async def stack() -> AsyncGenerator[Stack]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is starting, or was stopped, is no news
    async with temporary_stack(Plan(any_ports=True)) as stack:
        yield stack


@pytest.fixture(scope="session")
def gateway_admins(stack: Stack) -> list[int]:
    """The admin ports of the stack's gateways."""
    return [stack.ports[spec.admin] for spec in stack.specs if spec.name.startswith("gateway")]


@pytest.fixture(scope="session")
def live(stack: Stack) -> Settings:
    """Settings of the running services."""
    return Settings.from_env(stack.env)


@pytest.fixture
async def settings(stack: Stack) -> AsyncGenerator[Settings]:
    """The same servers under topics and a database of the test's own, for a service that the test starts itself."""
    async with own_settings(stack) as settings:
        yield settings


@pytest.fixture(scope="session")
async def stored(live: Settings) -> AsyncIterator[Database]:
    connection = database.connect(live)
    yield connection
    database.close(connection)


@pytest.fixture(scope="session")
async def publisher(live: Settings) -> AsyncIterator[HttpPublisher]:
    async with Publisher.http(live.ingest_url, token=mint(live, sub="tests", scope=PUBLISH)) as http:
        yield http


@pytest.fixture
def user() -> str:
    """Somebody nobody has written to yet."""
    return f"user-{new_id()}"


@pytest.fixture
def subscriber(live: Settings) -> Callable[[str], Subscriber]:
    def make(user: str) -> Subscriber:
        return Subscriber(live.gateway_urls, token=mint(live, sub=user, scope=SUBSCRIBE))

    return make


async def until(check: Callable[[], object], within_s: float = UNTIL_S) -> None:
    """Wait until `check` answers something true, at once or awaited: for what tells nobody that it has happened."""
    async with asyncio.timeout(within_s):
        while not (await found if isawaitable(found := check()) else found):
            await asyncio.sleep(0.05)


def repository() -> Path:
    return Path(__file__).parent.parent
