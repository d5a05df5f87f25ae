"""Ingest, gateway and console behind a proxy that ends TLS, below a path prefix: both SDKs, the pages, the commands."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from clarion.client import Inbox, Publisher, Subscriber, Unavailable
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.certificates import Authority
from tests.tls_proxy import PREFIX, TlsProxy, tls_proxied, trusting


@dataclass(frozen=True, slots=True)
class Proxies:
    ingest: TlsProxy
    gateway: TlsProxy
    console: TlsProxy
    ca: Path

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


@pytest.fixture(scope="module")
async def proxies(stack: Stack, live: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Proxies]:
    authority = Authority(tmp_path_factory.mktemp("proxies"))
    server = authority.issue("proxy", "127.0.0.1", "localhost")
    console = f"http://127.0.0.1:{stack.ports['console']}"
    async with AsyncExitStack() as ending:
        ingest, gateway, console = [
            await ending.enter_async_context(tls_proxied(url, server))
            for url in (live.ingest_url, live.gateway_urls[0], console)
        ]
        gateway.origin = live.origin_list[0].encode()
        yield Proxies(ingest, gateway, console, authority.ca)


async def test_the_python_sdk_works_below_a_prefix_over_tls(proxies: Proxies, live: Settings, user: str) -> None:
    publishing, token = mint(live, sub="tests", scope=PUBLISH), mint(live, sub=user, scope=SUBSCRIBE)
    async with (
        Publisher.http(proxies.ingest.url, token=publishing, ssl_context=proxies.tls) as publisher,
        Subscriber(proxies.gateway.url, token=token, ssl_context=proxies.tls) as notifications,
        Inbox(proxies.gateway.url, token=token, ssl_context=proxies.tls) as inbox,
        asyncio.timeout(30),
    ):
        id_ = await publisher.publish(recipient=user, type="t", message="by TLS", priority="urgent")
        assert (await anext(notifications)).id == id_
        assert [item.id for item in (await inbox.page()).items] == [id_]
        assert await publisher.status(id_) is not None
    assert f"{PREFIX}/v1/ws" in proxies.gateway.paths


async def test_a_proxy_that_is_not_trusted_gets_no_token(proxies: Proxies, live: Settings) -> None:
    before = len(proxies.ingest.paths)
    publisher = Publisher.http(proxies.ingest.url, token=mint(live, sub="tests", scope=PUBLISH), deadline_s=2)
    async with publisher:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await publisher.publish(recipient="ann", type="t", message="m")
    assert len(proxies.ingest.paths) == before


async def test_commands_work_below_a_prefix_over_tls(proxies: Proxies, live: Settings, stack: Stack, user: str) -> None:
    env = {
        **os.environ,
        **stack.env,
        **trusting(str(proxies.ca)),
        "CLARION_INGEST_URL": proxies.ingest.url,
        "CLARION_GATEWAY_URL": proxies.gateway.url,
    }
    said = await run(env, "publish", user, "from a shell", "--priority", "urgent")
    assert json.loads(await run(env, "tail", user, "--json", "--count", "1"))["id"] == said.strip()


async def run(env: dict[str, str], *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", *arguments), env=env, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("ingest", "POST", "/v1/notifications"),
        ("gateway", "GET", "/v1/inbox"),
        ("console", "GET", "/v1/overview"),
    ],
)
async def test_paths_of_the_openapi_document_lead_to_the_service(
    proxies: Proxies, name: str, method: str, path: str
) -> None:
    proxy: TlsProxy = getattr(proxies, name)
    document = f"{proxy.url}/openapi.json"
    async with httpx2.AsyncClient(verify=proxies.tls, trust_env=False, timeout=10) as http:
        told = (await http.get(document)).json()
        base = str(httpx2.URL(document).join(told["servers"][0]["url"])).rstrip("/")
        answer = await http.request(method, base + path)
    assert path in told["paths"]
    assert base == proxy.url
    assert answer.status_code == 401, answer.text  # it is there, and wants a token


@pytest.fixture
async def secure_page(browser: Browser) -> AsyncGenerator[Page]:
    """A page that takes the tests' certificates. An error in its scripts or a missing file fails the test."""
    context = await browser.new_context(ignore_https_errors=True)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda told: wrong.append(f"{told.url}: {told.status}") if told.status == 404 else None)
    yield page
    await context.close()
    assert wrong == []


@pytest.mark.browser
async def test_the_page_works_below_a_prefix(proxies: Proxies, secure_page: Page, live: Settings, user: str) -> None:
    await secure_page.goto(f"{proxies.gateway.url}/?user={user}")
    await expect(secure_page.locator("#status")).to_have_attribute("data-state", "open", timeout=15_000)
    token = mint(live, sub="tests", scope=PUBLISH)
    async with Publisher.http(proxies.ingest.url, token=token, ssl_context=proxies.tls) as publisher:
        await publisher.publish(recipient=user, type="t", message="below a prefix", priority="urgent")
    await expect(secure_page.locator("#list > li")).to_have_count(1, timeout=15_000)


@pytest.mark.browser
async def test_the_browser_sdk_takes_an_address_with_a_prefix(
    proxies: Proxies, secure_page: Page, live: Settings, user: str
) -> None:
    await secure_page.goto(f"{proxies.gateway.url}/")
    token = json.dumps(mint(live, sub=user, scope=SUBSCRIBE))
    await secure_page.evaluate(
        f"""async () => {{
            const {{ Clarion }} = await import("{PREFIX}/sdk/clarion.js");
            const mine = new Clarion({{ url: {json.dumps(proxies.gateway.url)}, token: {token} }});
            await new Promise((resolve) => mine.on("state", (state) => state.name === "open" && resolve()));
            window.unread = (await mine.inbox()).unread;
            mine.close();
        }}"""
    )


@pytest.mark.browser
async def test_the_console_works_below_a_prefix(proxies: Proxies, secure_page: Page, user: str) -> None:
    await secure_page.goto(f"{proxies.console.url}/#/reference")
    await secure_page.get_by_label("Your name").fill(user)
    await secure_page.keyboard.press("Enter")
    await expect(secure_page.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
    await expect(secure_page.get_by_text("/v1/notifications").first).to_be_visible(timeout=15_000)
