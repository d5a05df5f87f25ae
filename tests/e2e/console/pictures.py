"""Takes the pictures of the console for the documentation: `python -m tests.e2e.console.pictures`.

It runs a stack of its own for two minutes, with users who listen, senders who publish, and two records that nobody can
process. For the dark pictures the worker of a lane has ended.
"""

import asyncio
import random
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2
from playwright.async_api import Browser, Page, async_playwright, expect

from clarion.broker import clients
from clarion.client import Subscriber
from clarion.security.tokens import OPERATE, PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests.browser import CHROMIUM, FLAGS
from tests.conftest import repository

IMAGES: Final = repository() / "docs" / "images"
USERS: Final = [f"user-{n}" for n in range(12)]
LOAD_S: Final = 75.0  # before the first picture, so that charts have something to show
TROUBLE_S: Final = 75.0  # until a process that is gone is a trouble


async def main() -> None:
    """Run a stack, put a load on it, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with running(Folder(Path(folder)), Plan(any_ports=True), print) as stack:
            settings = Settings.from_env(stack.env)
            async with loaded(settings), async_playwright() as playwright:
                await spoil(settings)
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                await asyncio.sleep(LOAD_S)
                await take(browser, stack, settings, "light", ["overview", "charts", "dead-letters"])
                await stack.stop_child("low")
                await asyncio.sleep(TROUBLE_S)
                await take(browser, stack, settings, "dark", ["overview", "charts"])
                await browser.close()


@asynccontextmanager
async def loaded(settings: Settings) -> AsyncGenerator[None]:
    """Have users listen and a sender publish while the block runs."""
    tasks = [asyncio.create_task(listen(settings, user)) for user in USERS]
    tasks.append(asyncio.create_task(publish(settings)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def listen(settings: Settings, user: str) -> None:
    async with Subscriber(settings.gateway_urls, token=mint(settings, sub=user, scope=SUBSCRIBE)) as notifications:
        async for _ in notifications:
            pass


async def publish(settings: Settings) -> None:
    """Publish without an idempotency key: the time to the frame is known only of ids that tell when they were made."""
    headers = {"Authorization": f"Bearer {mint(settings, sub='calls', scope=PUBLISH)}"}
    async with httpx2.AsyncClient(base_url=settings.ingest_url, headers=headers, trust_env=False, timeout=10) as http:
        while True:
            lane = random.choices(["urgent", "high", "normal", "low"], [1, 3, 6, 4])[0]
            said = {"type": "call.missed", "message": "Bob called", "priority": lane}
            await http.post("/v1/notifications", json={"recipient": random.choice(USERS), **said})
            await asyncio.sleep(random.uniform(0.01, 0.06))


async def spoil(settings: Settings) -> None:
    """Send two records that nobody can process."""
    wrong = b'{"type": "lead.won", "message": 7, "sender": "crm", "recipient": "bob"}'
    async with clients.producer(settings) as producer:
        await clients.send_all(
            producer,
            [
                {"topic": "notifications.low", "key": b"bob", "value": wrong},
                {"topic": "notifications.high", "key": b"eve", "value": b"<b>no JSON</b>"},
            ],
        )


async def take(browser: Browser, stack: Stack, settings: Settings, scheme: str, views: list[str]) -> None:
    context = await browser.new_context(
        viewport={"width": 1240, "height": 1100}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{stack.ports['console']}/")
    await expect(page.locator("#sign-in")).to_be_visible()  # else the page, once it knows nobody, forgets the token
    token = mint(settings, sub="ann", scope=OPERATE)
    await page.evaluate(f"sessionStorage.setItem('clarion-console-token', '{token}')")
    for view in views:
        await show(page, view)
        await page.screenshot(path=IMAGES / f"console-{view}-{scheme}.png")
    await context.close()


async def show(page: Page, view: str) -> None:
    await page.goto(f"{page.url.partition('#')[0]}#/{view}")
    await page.reload()
    await expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await asyncio.sleep(4)  # an event or two, so that charts and tables have settled


if __name__ == "__main__":
    asyncio.run(main())
