"""What the tests share: the images, containers of a test's own, and one system for all of them."""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping

import pytest

from tests.browser import browser as browser
from tests.browser import page as page
from tests.containers import chosen_images, fleet
from tests.containers.fleet import Fleet
from tests.containers.system import System


@pytest.fixture(scope="session")
def images() -> Mapping[str, str]:
    """The images by their variables. Skips, with the reason, where there is no engine or one of them is missing."""
    if why := chosen_images.absent():
        pytest.skip(why)
    return chosen_images.chosen()


@pytest.fixture
def containers(images: Mapping[str, str]) -> Generator[Fleet]:
    with fleet.running() as own:
        yield own


@pytest.fixture(scope="session")
async def running(images: Mapping[str, str]) -> AsyncIterator[System]:
    """All services, three brokers and three members, which all tests share."""
    with fleet.running() as containers:
        shared = System(containers, images)
        await asyncio.to_thread(shared.start)
        yield shared
