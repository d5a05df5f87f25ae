"""What became of a notification, and how a user stands, by the page; and each look-up is noted."""

from urllib.parse import quote

import pytest
from playwright.async_api import expect

from clarion.client import HttpPublisher
from tests.e2e.console.conftest import Open

pytestmark = pytest.mark.browser


async def test_a_notifications_story_is_told(console: Open, user: str, publisher: HttpPublisher) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="m", priority="high")
    page = await console("trace")
    await page.get_by_label("Id of the notification").fill(id_)
    await page.keyboard.press("Enter")
    main = page.get_by_role("main")
    await expect(main.get_by_text("it is stored, and its recipient is not connected")).to_be_visible(timeout=60_000)
    for step in ("accepted", "taken by Kafka", "stored"):
        await expect(main.locator(".steps strong", has_text=step)).to_be_visible()
    assert f"#/trace/{id_}" in page.url
    await page.get_by_label("Id of the notification").fill("none")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="a UUID of 36 characters")).to_be_visible(timeout=15_000)


async def test_a_user_is_shown_and_the_look_up_noted(console: Open, user: str, publisher: HttpPublisher) -> None:
    name = f"{user} <b>&?"
    await publisher.publish(recipient=name, type="t", message="m", priority="urgent")
    page = await console(f"users/{quote(name, safe='')}")
    main = page.get_by_role("main")
    await expect(main.get_by_text("not connected")).to_be_visible(timeout=15_000)
    urgent = page.get_by_role("table", name="Pending").locator("tbody tr", has_text="urgent")
    await expect(urgent.locator('td[data-label="Waiting"]')).to_have_text("1")
    await page.get_by_role("link", name="Audit log").click()
    await page.get_by_label("Who").fill(user)
    await page.get_by_role("button", name="Show").click()
    entry = page.get_by_role("table", name="Audit log").locator("tbody tr").first
    await expect(entry).to_contain_text(f"user={name}", timeout=15_000)
    await expect(entry).to_contain_text("user.look_up")
