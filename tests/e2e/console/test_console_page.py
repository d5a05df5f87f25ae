"""The page for whoever has a keyboard only, a dark room or a narrow screen, and for whoever may not see it."""

import re

import pytest
from playwright.async_api import Page, expect

from clarion.security.tokens import mint
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.e2e.console.conftest import Open

pytestmark = pytest.mark.browser
VIEWS = ["overview", "charts", "dead-letters", "trace", "users", "audit", "reference"]


async def focused(page: Page) -> str:
    return await page.evaluate("document.activeElement?.textContent?.trim() ?? ''")


async def test_all_can_be_reached_by_keyboard_alone(console: Open) -> None:
    page = await console("overview")
    await page.reload()
    await expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
    await page.keyboard.press("Tab")
    assert await focused(page) == "Skip to content"
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    names: list[str] = []
    for _ in range(8):
        await page.keyboard.press("Tab")
        names.append(await focused(page))
    assert names[:4] == ["Sign out", "Overview", "Charts", "Dead letters"]
    await page.get_by_role("link", name="Dead letters", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Reason")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_follows_the_colour_scheme(console: Open, page: Page, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await console("overview")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.removeprefix("rgb(").rstrip(")").split(",")[:3]) / 3
    assert (brightness < 90) == (scheme == "dark")


async def test_nothing_is_cut_off_at_320_pixels(console: Open, page: Page) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await console("overview")
    await expect(page.get_by_role("region", name="Gateways").locator("tr[data-key]").first).to_be_visible(
        timeout=20_000
    )
    for view in VIEWS:
        await page.evaluate(f"location.hash = '#/{view}'")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        if view == "reference":
            await expect(page.locator(".operation").first).to_be_visible(timeout=15_000)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, view


async def test_the_reference_shows_all_four_descriptions(console: Open) -> None:
    page = await console("reference")
    tabs = page.get_by_role("navigation", name="Descriptions")
    for tab, says in (
        ("Ingest", "/v1/notifications/batch"),
        ("Gateway", "/v1/inbox"),
        ("Client protocol", "from the client"),
        ("Console", "/v1/dead-letters/replay"),
    ):
        await tabs.get_by_role("link", name=tab).click()
        await expect(page.get_by_role("main").get_by_text(says).first).to_be_visible(timeout=15_000)
    await page.get_by_text("/v1/dead-letters/replay").click()
    await page.get_by_role("link", name="Chosen").first.click()
    await expect(page.locator('details[data-schema="Chosen"]')).to_have_attribute("open", "", timeout=15_000)


async def test_a_token_that_is_refused_leads_back_to_the_sign_in(
    console: Open, page: Page, stack: Stack, live: Settings, user: str
) -> None:
    await console("audit")
    assert await page.evaluate("sessionStorage.length") == 1
    assert "eyJ" not in page.url
    await page.get_by_role("button", name="Sign out").click()
    assert await page.evaluate("sessionStorage.length") == 0
    for token, says in (("nonsense", "token"), (mint(live, sub=user, scope="subscribe"), "does not allow|lacks")):
        await page.evaluate(f"sessionStorage.setItem('clarion-console-token', '{token}')")
        await page.reload()
        await expect(page.get_by_role("alert").filter(has_text=re.compile(says)).first).to_be_visible(timeout=15_000)
        await page.evaluate("sessionStorage.clear()")
