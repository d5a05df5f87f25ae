"""A real browser behind a proxy that lets no WebSocket through: the SDK's event stream, and its way back."""

import json
from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Page, expect

from clarion.client import HttpPublisher
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conftest import until
from tests.proxy import NoUpgrades, proxied

pytestmark = pytest.mark.browser


@pytest.fixture
async def proxy(live: Settings) -> AsyncGenerator[NoUpgrades]:
    host, port = live.gateway_urls[0].removeprefix("http://").split(":")
    async with proxied(host, int(port), NoUpgrades) as proxy:
        proxy.origin = live.origin_list[0].encode()
        yield proxy


async def test_the_page_works_without_websocket(
    page: Page, proxy: NoUpgrades, user: str, publisher: HttpPublisher, stored: Database
) -> None:
    await page.goto(f"http://127.0.0.1:{proxy.port}/?user={user}")
    await expect(page.locator("#status")).to_have_attribute("data-state", "open", timeout=15_000)
    assert proxy.refused > 0
    ids = [await publisher.publish(recipient=user, type="t", message=f"✓ {n}", priority="urgent") for n in range(2)]
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(2, timeout=15_000)
    await expect(page.locator("#unread-count")).to_have_text("2")

    async def all_are(state: State) -> bool:
        return {one.state for one in (await notifications.find(notifications.collection(stored), ids)).values()} == {
            state
        }

    await until(lambda: all_are(State.DELIVERED))
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.locator("#unread")).to_be_hidden(timeout=15_000)
    await until(lambda: all_are(State.READ))


@pytest.mark.slow
async def test_a_stream_resumes_and_gives_way_to_a_socket(
    page: Page, proxy: NoUpgrades, live: Settings, user: str, publisher: HttpPublisher
) -> None:
    await page.goto(f"http://127.0.0.1:{proxy.port}/")
    token = json.dumps(mint(live, sub=user, scope=SUBSCRIBE))
    await page.evaluate(
        f"""async () => {{
            const {{ Clarion }} = await import("/sdk/clarion.js");
            const random = () => 0; // the earliest moments there are
            window.got = [];
            window.transports = [];
            window.clarion = new Clarion({{ url: location.origin, token: {token}, random }});
            window.clarion.on("notification", async (item) => {{ window.got.push(item.message); }});
            window.clarion.on("state", (state) => state.name === "open" && window.transports.push(state.transport));
        }}"""
    )

    async def are(transports: list[str]) -> bool:
        return await page.evaluate("window.transports") == transports

    async def have_come(*messages: str) -> bool:
        return await page.evaluate("window.got") == list(messages)

    await until(lambda: are(["stream"]))
    await publisher.publish(recipient=user, type="t", message="one", priority="high")
    await until(lambda: have_come("one"))
    proxy.drop()
    await publisher.publish(recipient=user, type="t", message="two", priority="high")
    await until(lambda: have_come("one", "two"))
    assert await are(["stream", "stream"])
    proxy.is_blocking = False
    await until(lambda: are(["stream", "stream", "websocket"]))
    await publisher.publish(recipient=user, type="t", message="three", priority="high")
    await until(lambda: have_come("one", "two", "three"))
    await page.evaluate("window.clarion.close()")
