"""The overview is live: it shows who works, and what is wrong while it is."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from clarion.client import HttpPublisher
from clarion.settings import Settings
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.e2e.console.conftest import Open
from tests.e2e.console.dying import died

pytestmark = pytest.mark.browser
SEEN_MS = 30_000


@pytest.mark.slow
async def test_a_lane_whose_worker_stops_is_shown_until_it_is_back(console: Open, stack: Stack) -> None:
    page = await console("overview")
    low = page.get_by_role("region", name="Lanes").locator('tr[data-key="low"]')
    process = page.get_by_role("region", name="Processes").locator('tr[data-key="low"]')
    await expect(low).to_be_visible(timeout=SEEN_MS)
    await expect(page.locator("#health-text")).not_to_have_text("Failing", timeout=SEEN_MS)
    spec = next(spec for spec in stack.specs if spec.name == "low")
    await stack.stop_child("low")
    try:
        await expect(page.locator("#health-text")).to_have_text("Failing", timeout=SEEN_MS)
        await expect(page.get_by_text("no process of the role low is ready")).to_be_visible()
        await expect(process).to_contain_text("No answer")
    finally:
        await stack.start_service(spec)
    await expect(page.locator("#health-text")).not_to_have_text("Failing", timeout=SEEN_MS)
    await expect(process).not_to_contain_text("No answer", timeout=SEEN_MS)


async def test_what_is_published_shows_as_rates(console: Open, user: str, publisher: HttpPublisher) -> None:
    page = await console("overview")
    high = page.get_by_role("region", name="Lanes").locator('tr[data-key="high"]')
    stored = high.locator('td[data-label="Stored / s"]')
    await expect(stored).to_be_visible(timeout=SEEN_MS)

    async def publish() -> None:
        while True:
            await publisher.publish(recipient=user, type="t", message="m", priority="high")
            await asyncio.sleep(0.2)

    publishing = asyncio.create_task(publish())
    try:
        await expect(stored).to_have_text(re.compile(r"[1-9]"), timeout=SEEN_MS)
        await expect(high.locator('td[data-label="Accepted by HTTP / s"]')).to_have_text(re.compile(r"[1-9]"))
    finally:
        publishing.cancel()


async def test_a_trouble_shows_its_cause_and_its_cure(
    console: Open, live: Settings, stored: Database, user: str
) -> None:
    await died(live, stored, user, b"no json")
    page = await console("overview")
    # one trouble for each topic and reason: other tests of this stack send what nobody can process, too
    trouble = page.locator('li[data-rule="dead-letters"]').first
    await expect(trouble).to_contain_text("that nobody can process came within ten minutes", timeout=SEEN_MS)
    if await trouble.locator("details:not([open])").count():
        await trouble.locator("summary").click()
    await expect(trouble.get_by_text("A producer writes to Kafka what breaks the contract")).to_be_visible()
    await expect(trouble.get_by_text("clarion dlq list")).to_be_visible()
    await expect(trouble.get_by_text("docs/runbook.md#dead-letters")).to_be_visible()


async def test_gateways_show_their_connections(console: Open) -> None:
    page = await console("overview")
    gateways = page.get_by_role("region", name="Gateways")
    cells = gateways.locator('td[data-label="Connections"]')
    await expect(cells).to_have_count(2, timeout=SEEN_MS)
    await expect(cells.first).to_have_text(re.compile(r"\d"))
    await expect(gateways.locator('td[data-label="Mailbox no."]').first).to_have_text(re.compile(r"^\d+$"))


async def test_charts_are_drawn_and_told_in_words(console: Open) -> None:
    page = await console("charts")
    await expect(page.locator(".chart canvas")).to_have_count(7, timeout=SEEN_MS)
    plot = page.get_by_role("img", name=re.compile("Stored over the last hour. Now: urgent"))
    await expect(plot).to_be_visible()
    await expect(page.get_by_role("table", name="Values of Lag")).to_contain_text("urgent")
