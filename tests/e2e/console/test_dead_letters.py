"""A dead letter is found, mended, sent again and delivered, by somebody who has the page only."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from clarion.client import Subscriber
from clarion.settings import Settings
from clarion.store.driver.database import Database
from tests.e2e.console.conftest import Open
from tests.e2e.console.dying import died

pytestmark = pytest.mark.browser


async def test_a_letter_is_found_edited_replayed_and_delivered(
    console: Open, live: Settings, stored: Database, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    await died(live, stored, user, b'{"type": "a", "message": 7}')
    page = await console("dead-letters")
    await page.get_by_label("Recipient").fill(user)
    await page.get_by_role("button", name="Show", exact=True).click()
    rows = page.get_by_role("table", name="Dead letters").locator("tbody tr")
    await expect(rows).to_have_count(1, timeout=15_000)
    await rows.get_by_role("link").click()
    await expect(page.get_by_text("Still wrong")).to_be_visible(timeout=15_000)
    await page.get_by_role("button", name="Edit…").click()
    value = page.get_by_label("Value", exact=True).and_(page.locator("textarea"))
    await expect(value).to_be_focused()
    await value.fill(f'{{"type": "a", "message": "mended", "recipient": "{user}", "sender": "s"}}')
    await page.get_by_role("button", name="Keep the edit").click()
    await expect(page.get_by_text("Nothing was sent yet")).to_be_visible(timeout=15_000)
    await expect(page.get_by_text("Still wrong")).to_have_count(0)
    await page.get_by_role("button", name="Replay…").click()
    dialog = page.get_by_role("dialog", name="Replay this letter?")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await dialog.get_by_role("button", name="Replay", exact=True).click()
    await expect(page.get_by_text("1 letter replayed.")).to_be_visible(timeout=20_000)
    async with subscriber(user) as notifications:
        assert (await anext(notifications)).message == "mended"


async def test_chosen_letters_are_purged_after_a_question(
    console: Open, live: Settings, stored: Database, user: str
) -> None:
    await died(live, stored, user, b"no json 1", b"no json 2", b"no json 3")
    page = await console(f"dead-letters?recipient={user}")
    rows = page.get_by_role("table", name="Dead letters").locator("tbody tr")
    await expect(rows).to_have_count(3, timeout=15_000)
    await rows.nth(0).get_by_role("checkbox").check()
    await rows.nth(1).get_by_role("checkbox").check()
    purge = page.get_by_role("button", name="Purge the 2 chosen letters…")
    await purge.click()
    dialog = page.get_by_role("dialog", name="Purge 2 letters?")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused(timeout=15_000)
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(rows).to_have_count(3)
    await purge.click()
    await dialog.get_by_role("button", name="Purge").click()
    await expect(rows).to_have_count(1, timeout=15_000)
    await expect(page.get_by_text("2 letters purged.")).to_be_visible()
    await page.get_by_role("link", name="Audit log").click()
    entry = page.get_by_role("table", name="Audit log").locator("tbody tr").first
    await expect(entry).to_contain_text(f"{user} (console)", timeout=15_000)
    await expect(entry).to_contain_text("dead_letters.purge")


async def test_a_script_in_a_letter_is_text(console: Open, live: Settings, stored: Database, user: str) -> None:
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    await died(live, stored, user, evil.encode())
    page = await console(f"dead-letters?recipient={user}")
    await page.get_by_role("table", name="Dead letters").get_by_role("link").click()
    await expect(page.locator("pre.bytes")).to_have_text(evil, timeout=15_000)
    assert await page.locator("#main img, #main script").count() == 0
    assert "owned" not in await page.title()
    await page.get_by_role("button", name="Edit…").click()
    await expect(page.locator("#edit-value")).to_have_value(evil)
