"""A client's token, shared by whatever shows it at the same time."""

import asyncio

import httpx2

from clarion.client import Inbox
from clarion.client.tokens import TokenSource

REFUSED = httpx2.Response(401, json={"title": "t", "status": 401, "detail": "expired"})
COUNT = httpx2.Response(200, json={"unread": 3})


class Issuer:
    """Gives out `t1`, `t2` …; as a gateway it takes those from `good_from` on."""

    def __init__(self) -> None:
        self.issued = 0
        self.shown: list[str] = []
        self.good_from = 1
        self.late = asyncio.Event()  # until then the refusal of the first request that showed `t1` does not arrive

    async def get_token(self) -> str:
        self.issued += 1
        number = self.issued
        await asyncio.sleep(0.01)
        return f"t{number}"

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        shown = request.headers["authorization"].removeprefix("Bearer ")
        self.shown.append(shown)
        is_good = int(shown[1:]) >= self.good_from
        if not is_good and self.shown.count(shown) == 1:
            await self.late.wait()
        return COUNT if is_good else REFUSED

    def inbox(self) -> Inbox:
        tokens = TokenSource(None, self.get_token)
        return Inbox("http://gateway", tokens=tokens, through=httpx2.MockTransport(self))


async def test_whoever_needs_a_token_at_once_waits_for_one_fetch() -> None:
    issuer = Issuer()
    async with issuer.inbox() as inbox, asyncio.timeout(5):
        assert await asyncio.gather(*(inbox.unread_count() for _ in range(5))) == [3] * 5
    assert issuer.issued == 1


async def test_a_late_refusal_does_not_discard_the_newer_token() -> None:
    issuer = Issuer()
    async with issuer.inbox() as inbox, asyncio.timeout(5):
        await inbox.unread_count()
        issuer.good_from, issuer.shown = 2, []
        early = asyncio.create_task(inbox.unread_count())
        while not issuer.shown:
            await asyncio.sleep(0)
        assert await inbox.unread_count() == 3  # with the second token
        issuer.late.set()
        assert await early == 3
    assert issuer.shown == ["t1", "t1", "t2", "t2"]
    assert issuer.issued == 2


async def test_a_fetch_that_is_cancelled_is_made_again() -> None:
    issuer = Issuer()
    tokens = TokenSource(None, issuer.get_token)
    first, second = asyncio.create_task(tokens.current()), asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "t2"
    tokens.refused("t1")
    assert await tokens.current() == "t2"
    tokens.refused("t2")
    assert await tokens.current() == "t3"
