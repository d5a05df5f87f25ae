"""The page in a real browser, on the JavaScript SDK, against the running system."""

import asyncio
import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from clarion.client import HttpPublisher, Inbox, Publisher
from clarion.contracts import times
from clarion.contracts.lanes import LANES
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from deploy.local.stack import Stack
from tests.conftest import until

pytestmark = pytest.mark.browser


async def watch(page: Page, live: Settings, user: str, gateway: int = 0) -> None:
    await page.goto(f"{live.gateway_urls[gateway]}/?user={quote(user)}")
    await expect(page.locator("#status")).to_have_attribute("data-state", "open", timeout=15_000)


async def test_the_button_sends_one_of_each_priority_and_they_appear(page: Page, live: Settings, user: str) -> None:
    await watch(page, live, user)
    await page.get_by_role("button", name="Send one of each priority").click()
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(4, timeout=15_000)
    # told by a word, not by colour alone
    words = await rows.locator(".lane").all_inner_texts()
    assert {word.lower() for word in words} == set(LANES)
    await expect(page.locator("#unread-count")).to_have_text("4")
    await expect(page).to_have_title("(4) Clarion")


async def test_marking_read_by_keyboard_lowers_the_servers_count(
    page: Page, live: Settings, user: str, publisher: Publisher, stored: Database
) -> None:
    await watch(page, live, user)
    ids = [await publisher.publish(recipient=user, type="t", message=f"number {n}") for n in range(2)]
    await expect(page.locator("#unread-count")).to_have_text("2", timeout=15_000)
    button = page.get_by_role("button", name="Mark read").first
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#unread-count")).to_have_text("1", timeout=15_000)
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.locator("#unread")).to_be_hidden(timeout=15_000)

    async def all_read() -> bool:
        found = await notifications.find(notifications.collection(stored), ids)
        return {document.state for document in found.values()} == {State.READ}

    await until(all_read)


async def test_a_user_who_was_away_finds_what_came_and_nobody_elses(
    page: Page, live: Settings, user: str, publisher: Publisher
) -> None:
    await publisher.publish(recipient=f"{user}-other", type="t", message="for another")
    await publisher.publish(recipient=user, type="t", message="came while away", priority="high")
    await watch(page, live, user, gateway=1)
    await expect(page.locator("#list").get_by_text("came while away")).to_be_visible(timeout=15_000)
    await expect(page.locator("#list").get_by_text("for another")).to_have_count(0)


async def test_what_falls_due_is_on_top_and_not_shown_as_missed(
    page: Page, live: Settings, user: str, publisher: Publisher
) -> None:
    due = times.now() + timedelta(seconds=8)
    await publisher.publish(recipient=user, type="t", message="scheduled before", deliver_at=due)
    for n in range(3):
        await publisher.publish(recipient=user, type="t", message=f"meanwhile {n}")
    await watch(page, live, user)
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(3, timeout=15_000)
    await expect(rows).to_have_count(4, timeout=20_000)
    await expect(rows.first).to_contain_text("scheduled before")
    await expect(rows.first.locator(".away")).to_have_count(0)
    await expect(rows.last.locator(".away")).to_have_count(1)
    await page.reload()
    await expect(rows).to_have_count(4, timeout=15_000)
    await expect(rows.first).to_contain_text("scheduled before")


async def test_a_reload_shows_what_is_kept_and_what_is_read_of_it(
    page: Page, live: Settings, user: str, publisher: Publisher
) -> None:
    await watch(page, live, user)
    for message in ("one", "two"):
        await publisher.publish(recipient=user, type="t", message=message, priority="urgent")
    await expect(page.locator("#list > li")).to_have_count(2, timeout=15_000)
    await page.get_by_role("button", name="Mark read: one").click()
    await expect(page.locator("#unread-count")).to_have_text("1", timeout=15_000)
    await watch(page, live, user, gateway=1)
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(2, timeout=15_000)
    await expect(rows.filter(has_text="one")).to_have_class(re.compile("is-read"))
    await expect(rows.filter(has_text="two")).not_to_have_class(re.compile("is-read"))
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.locator("#list > li.is-read")).to_have_count(2)
    await expect(page.locator("#unread")).to_be_hidden(timeout=15_000)


async def test_a_retracted_item_leaves_open_pages_and_returning_ones(
    page: Page, live: Settings, user: str, publisher: HttpPublisher, stack: Stack, stored: Database
) -> None:
    await watch(page, live, user)
    kept, gone, later = [
        await publisher.publish(recipient=user, type="t", message=message, priority="urgent")
        for message in ("kept", "gone", "gone meanwhile")
    ]
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(3, timeout=15_000)
    await publisher.retract(gone)
    await expect(rows).to_have_count(2, timeout=15_000)
    stack.kill("gateway-1")
    await expect(page.locator("#status")).not_to_have_attribute("data-state", "open", timeout=15_000)
    await publisher.retract(later)

    async def is_retracted() -> bool:
        return (await notifications.find(notifications.collection(stored), [later]))[later].state is State.RETRACTED

    await until(is_retracted)
    await expect(page.locator("#status")).to_have_attribute("data-state", "open", timeout=60_000)
    await expect(rows).to_have_count(1, timeout=15_000)
    await expect(rows).to_have_attribute("data-id", kept)
    await expect(page.locator("#notice")).to_be_hidden()


async def test_what_is_marked_elsewhere_shows_here(page: Page, live: Settings, user: str, publisher: Publisher) -> None:
    await watch(page, live, user)
    one, two = [await publisher.publish(recipient=user, type="t", message=m, priority="high") for m in ("one", "two")]
    rows = page.locator("#list > li")
    await expect(rows).to_have_count(2, timeout=15_000)
    async with Inbox(live.gateway_urls[1], token=mint(live, sub=user, scope=SUBSCRIBE)) as inbox:
        assert await inbox.read([one]) == 1
        await expect(rows.filter(has_text="one")).to_have_class(re.compile("is-read"), timeout=15_000)
        await expect(page.locator("#unread-count")).to_have_text("1")
        assert await inbox.archive([two]) == 0
        await expect(rows).to_have_count(1, timeout=15_000)
        assert [item.id for item in (await inbox.page(archived=True)).items] == [two]
        await inbox.unarchive([two])
        await expect(rows).to_have_count(2, timeout=15_000)
        await expect(rows.filter(has_text="two")).to_have_class(re.compile("is-read"))


async def test_a_message_is_text_and_never_markup(page: Page, live: Settings, user: str, publisher: Publisher) -> None:
    await watch(page, live, user)
    evil = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
    await publisher.publish(recipient=user, type="t", message=evil, data={"url": "javascript:alert(1)"})
    await expect(page.locator("#list").get_by_text(evil)).to_be_visible(timeout=15_000)
    assert await page.locator("#list img, #list b, #list a[href^=javascript]").count() == 0


async def test_the_page_returns_without_loss_after_its_gateway_dies(
    page: Page, live: Settings, user: str, publisher: Publisher, stack: Stack, stored: Database
) -> None:
    await watch(page, live, user)
    await publisher.publish(recipient=user, type="t", message="before", priority="urgent")
    await expect(page.locator("#list").get_by_text("before")).to_be_visible(timeout=15_000)
    stack.kill("gateway-1")
    await expect(page.locator("#status")).not_to_have_attribute("data-state", "open", timeout=15_000)
    await publisher.publish(recipient=user, type="t", message="meanwhile", priority="urgent")
    await expect(page.locator("#status")).to_have_attribute("data-state", "open", timeout=60_000)
    await publisher.publish(recipient=user, type="t", message="afterwards", priority="urgent")
    for message in ("before", "meanwhile", "afterwards"):
        await expect(page.locator("#list").get_by_text(message, exact=True)).to_have_count(1, timeout=15_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_at_phone_width_nothing_is_cut_off(
    page: Page, live: Settings, user: str, publisher: Publisher, scheme: str
) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await watch(page, live, user)
    await publisher.publish(
        recipient=user, type="code.review_requested", message="A" * 60 + " long words " * 20, priority="urgent"
    )
    await expect(page.locator("#list > li")).to_have_count(1, timeout=15_000)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.removeprefix("rgb(").rstrip(")").split(",")[:3]) / 3
    assert (brightness < 90) == (scheme == "dark")


async def test_both_sdks_receive_the_same(
    page: Page, live: Settings, user: str, publisher: Publisher, stored: Database
) -> None:
    """The JavaScript SDK by itself, without the page's code: acknowledged items carry what was published."""
    await page.goto(live.gateway_urls[0])
    token = json.dumps(await _token(page, user))
    await page.evaluate(
        f"""async () => {{
            const {{ Clarion }} = await import("/sdk/clarion.js");
            window.got = [];
            window.clarion = new Clarion({{ url: location.origin, token: {token} }});
            window.clarion.on("notification", async (item) => {{ window.got.push(item); }});
        }}"""
    )
    await until(lambda: sessions.route(sessions.collection(stored), [user]))
    data = {"number": 7, "text": "ünïcode ✓", "nothing": None, "list": [1, 2.5, True]}
    id_ = await publisher.publish(recipient=user, type="lead.won", message="✓", priority="high", data=data)
    async with asyncio.timeout(20):
        while not (got := await page.evaluate("window.got")):
            await asyncio.sleep(0.05)
    assert [(item["id"], item["type"], item["data"]) for item in got] == [(id_, "lead.won", data)]

    async def is_delivered() -> bool:
        found = await notifications.find(notifications.collection(stored), [id_])
        return found[id_].state is State.DELIVERED

    await until(is_delivered)
    await page.evaluate("window.clarion.close()")


async def _token(page: Page, user: str) -> str:
    answer = await page.request.post(f"{page.url}dev/token", data={"user": user})
    assert answer.ok
    return (await answer.json())["token"]
