"""The console's page in the browser, signed in as an operator. A break of its policy fails the test."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from playwright.async_api import ConsoleMessage, Page, expect

from deploy.local.stack import Stack

Open = Callable[[str], Awaitable[Page]]


@pytest.fixture
async def console(page: Page, stack: Stack, user: str) -> AsyncGenerator[Open]:
    """Open a view of the console, signed in as `user`: `await console("dead-letters")`."""
    broken: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            broken.append(message.text)

    page.on("console", note)

    async def open_(view: str) -> Page:
        await page.goto(f"http://127.0.0.1:{stack.ports['console']}/#/{view}")
        await page.get_by_label("Your name").fill(user)
        await page.keyboard.press("Enter")
        await expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
        return page

    yield open_
    assert broken == []
