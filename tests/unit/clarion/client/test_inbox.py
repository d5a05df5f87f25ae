"""The Python SDK's inbox: what is asked, what is tried again, what comes out."""

from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from clarion.client import Inbox, Refused, Unavailable
from clarion.contracts import limits
from clarion.contracts.lanes import Lane

_TEXTS = dict.fromkeys(("id", "type", "message", "sender", "created_at"), "x")
ITEM: dict[str, Any] = {**_TEXTS, "data": {}, "lane": "low", "ord": [0, 7]}
IDS = [f"01a20b84-19b1-735f-abad-{number:012x}" for number in range(limits.IDS_PER_FRAME + 1)]

Answer = Callable[[httpx2.Request], httpx2.Response]


class Gateway:
    """Answers from a script, the last answer for ever, and remembers what was asked."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(status, json=body, headers={"Retry-After": "0"})

    def inbox(self, deadline_s: float = 30.0) -> Inbox:
        return Inbox(["ws://gateway/v1/ws"], token="t0", deadline_s=deadline_s, through=httpx2.MockTransport(self))

    def asked(self) -> list[str]:
        return [f"{request.method} {request.url}" for request in self.requests]

    def sent(self) -> list[int]:
        return [len(msgspec.json.decode(request.content)["ids"]) for request in self.requests]


def problem(status: int, **more: object) -> tuple[int, object]:
    return status, {"title": "t", "status": status, "detail": "no", **more}


async def test_a_page_is_asked_with_its_cursor_and_comes_typed() -> None:
    gateway = Gateway((200, {"items": [ITEM | {"unread": True}], "next": "abc"}))
    async with gateway.inbox() as inbox:
        page = await inbox.page()
        await inbox.page(page.next, limit=7, unread=True)
        await inbox.page(archived=True)
    assert [(item.id, item.lane, item.ord, item.unread) for item in page.items] == [("x", Lane.LOW, (0, 7), True)]
    assert gateway.asked() == [
        "GET http://gateway/v1/inbox?limit=50&unread=false&archived=false",
        "GET http://gateway/v1/inbox?limit=7&unread=true&archived=false&cursor=abc",
        "GET http://gateway/v1/inbox?limit=50&unread=false&archived=true",
    ]
    assert {request.headers["authorization"] for request in gateway.requests} == {"Bearer t0"}


async def test_marks_fill_requests_and_answer_the_last_count() -> None:
    gateway = Gateway((200, {"unread": 9}), (200, {"unread": 8}))
    async with gateway.inbox() as inbox:
        assert await inbox.read(IDS) == 8
        for mark in (inbox.unread, inbox.archive, inbox.unarchive):
            assert await mark(iter(IDS[:2])) == 8
        assert gateway.sent() == [500, 1, 2, 2, 2]
        assert await inbox.read([]) == await inbox.unread_count() == 8
    verbs = ["read", "read", "unread", "archive", "unarchive"]
    assert gateway.asked() == [
        *(f"POST http://gateway/v1/inbox/{verb}" for verb in verbs),
        *["GET http://gateway/v1/inbox/count"] * 2,
    ]


async def test_read_all_asks_until_nothing_is_left() -> None:
    gateway = Gateway((200, {"unread": 100, "more": True}), (200, {"unread": 1, "more": False}))
    async with gateway.inbox() as inbox:
        assert await inbox.read_all() == 1
    assert gateway.asked() == ["POST http://gateway/v1/inbox/read-all"] * 2


async def test_while_the_store_is_away_it_retries_until_its_deadline() -> None:
    gateway = Gateway(problem(503), problem(503), (200, {"unread": 3}))
    async with gateway.inbox() as inbox:
        assert await inbox.unread_count() == 3
    assert len(gateway.requests) == 3
    away = Gateway(problem(503))
    async with away.inbox(deadline_s=0.2) as inbox:
        with pytest.raises(Unavailable, match="HTTP 503: no"):
            await inbox.read(IDS[:1])


async def test_what_is_refused_names_its_field_and_is_not_tried_again() -> None:
    error = {"pointer": "/ids/0", "code": "pattern", "detail": "no id"}
    gateway = Gateway(problem(422, errors=[error]))
    async with gateway.inbox() as inbox:
        with pytest.raises(Refused, match="/ids/0: no id"):
            await inbox.read(["x"])
    assert len(gateway.requests) == 1


async def test_a_refused_token_is_fetched_anew_once() -> None:
    tokens = iter(["old", "new"])
    gateway = Gateway(problem(401), (200, {"unread": 3}), problem(401))
    inbox = Inbox("https://gateway", get_token=lambda: next(tokens), through=httpx2.MockTransport(gateway))
    async with inbox:
        assert await inbox.unread_count() == 3
    assert [request.headers["authorization"] for request in gateway.requests] == ["Bearer old", "Bearer new"]
    fixed = Gateway(problem(401))
    async with fixed.inbox() as inbox:
        with pytest.raises(Refused, match="401"):
            await inbox.unread_count()
