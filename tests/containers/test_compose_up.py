"""`docker compose up` on the images that were built: from nothing to a live notification, with three gateways."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from clarion.client import Publisher, Subscriber
from clarion.client.subscribing.state import State
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from tests.conftest import until
from tests.containers.compose_project import GATEWAYS, Up, started

UP_WITHIN_S = 180
# one connection for each address and gateway: so it shows whose address a gateway sees
LIMITED = {"services": {"gateway": {"environment": {"CLARION_CONNECTIONS_PER_IP": "1"}}}}


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncGenerator[Subscriber]:
    states: list[State] = []
    async with Subscriber(url, token=token, on_state=states.append) as subscriber:
        await until(lambda: State.LIVE in states)
        yield subscriber


@pytest.fixture(scope="module")
def up(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    with started(images, tmp_path_factory.mktemp("compose"), LIMITED) as found:
        yield found


async def test_a_notification_is_in_the_browser_within_three_minutes(up: Up, page: Page) -> None:
    await page.goto(f"{up.settings.gateway_url}/?user=user-{new_id()}")
    await expect(page.locator("#status")).to_have_attribute("data-state", "open", timeout=30_000)
    await page.get_by_role("button", name="Send one of each priority").click()
    await expect(page.locator("#list > li")).to_have_count(4, timeout=30_000)
    assert time.monotonic() - up.began < UP_WITHIN_S


async def test_a_notification_published_from_outside_is_live(up: Up) -> None:
    settings, user = up.settings, f"user-{new_id()}"
    token = mint(settings, sub=user, scope=SUBSCRIBE)
    async with (
        connected(settings.gateway_url, token) as items,
        Publisher.http(settings.ingest_url, token=mint(settings, sub="tests", scope=PUBLISH)) as publisher,
        asyncio.timeout(30),
    ):
        id_ = await publisher.publish(recipient=user, type="t", message="up", priority="urgent")
        assert (await anext(items)).id == id_


async def test_clients_are_spread_and_told_apart_by_address(up: Up) -> None:
    """Each gateway takes one connection of an address: three from here, and one from another container."""
    settings = up.settings
    async with AsyncExitStack() as open_:
        for _ in range(GATEWAYS):
            token = mint(settings, sub=f"user-{new_id()}", scope=SUBSCRIBE)
            await open_.enter_async_context(connected(settings.gateway_url, token))
        states: list[State] = []
        token = mint(settings, sub=f"user-{new_id()}", scope=SUBSCRIBE)
        await open_.enter_async_context(Subscriber(settings.gateway_url, token=token, on_state=states.append))
        await until(lambda: State.WAITING in states)
        assert State.LIVE not in states
        script = (
            "import asyncio\n"
            "from clarion.client import Subscriber\n"
            "async def main():\n"
            "    live = asyncio.Event()\n"
            "    on_state = lambda state: live.set() if state == 'live' else None\n"
            f"    async with Subscriber('http://load-balancer:8081', token={token!r}, on_state=on_state):\n"
            "        await asyncio.wait_for(live.wait(), 20)\n"
            "asyncio.run(main())\n"
        )
        await asyncio.to_thread(
            up.run, "run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "topics", "-c", script
        )
