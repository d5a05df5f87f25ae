"""The safety net at work: whoever is connected, and has handled all there was, is asked about, and nothing is found."""

import asyncio
from contextlib import AsyncExitStack

from clarion.client import Publisher, Subscriber
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.subprocesses import net_of


async def test_each_gateways_net_asks_about_whoever_is_there(
    live: Settings, user: str, publisher: Publisher, gateway_admins: list[int]
) -> None:
    users = [f"{user}-{n}" for n, _ in enumerate(live.gateway_urls)]
    before = [await net_of(port) for port in gateway_admins]
    async with AsyncExitStack() as ends:
        for one, url in zip(users, live.gateway_urls, strict=True):
            device = await ends.enter_async_context(Subscriber(url, token=mint(live, sub=one, scope=SUBSCRIBE)))
            sent = await publisher.publish(recipient=one, type="t", message="hello")
            async with asyncio.timeout(30):
                assert (await anext(device)).id == sent
            await device.handled()

        async def are_asked_about() -> bool:
            after = [await net_of(port) for port in gateway_admins]
            return all(now.asked > then.asked for now, then in zip(after, before, strict=True))

        await until(are_asked_about)
