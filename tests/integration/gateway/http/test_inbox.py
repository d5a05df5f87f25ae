"""The inbox over HTTP: what is in it, in which order, who may ask, and what marks do."""

import asyncio
import signal
import socket
from contextlib import ExitStack, closing
from datetime import timedelta

import httpx2
import msgspec
import pytest

from clarion.client import HttpPublisher
from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from services.gateway.http import asyncapi
from services.gateway.http.inbox_limits import PAGES_OF_USER
from tests.conftest import until
from tests.integration.gateway.http.asking import NOW, asking, document, is_problem, pages, store


async def test_pages_are_newest_first_also_within_a_millisecond(live: Settings, user: str, stored: Database) -> None:
    made = [document(user, n, NOW - timedelta(milliseconds=n // 7), unread=n % 3 == 0) for n in range(120)]
    await store(stored, *made, document(f"{user}-else", 0, NOW))
    wanted = sorted(made, key=lambda one: (one["created_at"], one["_id"]), reverse=True)
    async with asking(live, user) as http:
        found = await pages(http)
        assert [len(page) for page in found] == [50, 50, 20]
        items = [item for page in found for item in page]
        assert [(item["id"], item["unread"]) for item in items] == [(one["_id"], one["unread"]) for one in wanted]
        assert items[0]["data"] == {"n": wanted[0]["ord"]}
        unread = [item for page in await pages(http, unread="true", limit=7) for item in page]
        assert [item["id"] for item in unread] == [one["_id"] for one in wanted if one["unread"]]
        assert (await http.get("/inbox/count")).json() == {"unread": 40}


async def test_the_inbox_has_what_was_throttled_and_not_what_is_gone(
    live: Settings, user: str, stored: Database, publisher: HttpPublisher
) -> None:
    shown = [
        document(user, 1, NOW, state="throttled"),
        document(user, 2, NOW, state="pending", expires_at=NOW + timedelta(hours=1)),
        document(user, 3, NOW, state="read", unread=False),
    ]
    hidden = [
        document(user, 11, NOW, state="collapsed", unread=None),
        document(user, 12, NOW, state="retracted", unread=None),
        document(user, 13, NOW, state="expired", unread=None),
        document(user, 14, NOW, state="pending", expires_at=NOW),
        document(user, 15, NOW, unread=False, expires_at=NOW),
    ]
    stub = {"recipient": user, "state": "delivered", "stub": True, "purge_at": NOW + timedelta(days=1)}
    stubs = [stub, stub | {"unread": False}, stub | {"unread": None, "archived": True}]
    await store(stored, *shown, *hidden, *({"_id": new_id(), **one} for one in stubs))
    await publisher.publish(recipient=user, type="t", message="later", deliver_at=NOW + timedelta(days=1))
    async with asking(live, user) as http:
        [items] = await pages(http)
        assert {item["id"] for item in items} == {one["_id"] for one in shown}
        assert (await http.get("/inbox", params={"archived": "true"})).json() == {"items": [], "next": None}


async def test_a_page_of_large_ones_ends_early_and_goes_on(live: Settings, user: str, stored: Database) -> None:
    large = b'{"data":"' + b"x" * 30_000 + b'"}'
    ids = await store(stored, *(document(user, n, NOW - timedelta(seconds=n), body=large) for n in range(100)))
    async with asking(live, user) as http:
        found = await pages(http, limit=200)
    assert sum(map(len, found)) == len(ids)
    assert max(map(len, found)) * len(large) <= limits.INBOX_PAGE_BYTES + len(large)


@pytest.mark.parametrize(
    ("params", "named", "limit"),
    [
        ({"limit": "0"}, "limit", 200),
        ({"limit": "201"}, "limit", 200),
        ({"limit": "many"}, "limit", 200),
        ({"cursor": "nonsense"}, "cursor", None),
        ({"unread": "yes"}, "unread", "true|false"),
        ({"unread": "true", "archived": "true"}, "unread", None),
        ({"colour": "red"}, "colour", "archived, cursor, limit, unread"),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_limit_and_cure(
    params: dict[str, str], named: str, limit: object, live: Settings, user: str
) -> None:
    async with asking(live, user) as http:
        answer = await http.get("/inbox", params=params)
    problem = is_problem(answer, 422)
    [error] = problem["errors"]
    assert error["detail"].startswith(f"the parameter `{named}` ")
    assert error.get("limit") == limit


async def test_only_a_token_that_may_subscribe_gets_in(live: Settings, user: str) -> None:
    async with asking(live, user, scope=PUBLISH) as http:
        for answer in [await http.get("/inbox"), await http.get("/inbox/count"), await http.post("/inbox/read-all")]:
            assert is_problem(answer, 403)["errors"][0]["limit"] == "subscribe"
        for path in ("/read", "/unread", "/archive", "/unarchive"):
            is_problem(await http.post(f"/inbox{path}", json={"ids": [new_id()]}), 403)
        bare = await http.get("/inbox", headers={"Authorization": ""})
        assert bare.headers["www-authenticate"] == "Bearer"
        is_problem(bare, 401)
        token = mint(live, sub=user, scope=SUBSCRIBE)
        is_problem(await http.get("/inbox", params={"token": token}, headers={"Authorization": ""}), 401)
        is_problem(await http.delete("/inbox/read"), 405)


async def test_pages_of_allowed_origins_may_ask_and_others_may_not(live: Settings, user: str) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with asking(live, user) as http:
        ours = await http.options("/inbox/read", headers={"Origin": live.origin_list[0], **wanted})
        foreign = await http.options("/inbox/read", headers={"Origin": "https://evil.example", **wanted})
        answer = await http.get("/inbox/count", headers={"Origin": live.origin_list[0]})
    assert ours.headers["access-control-allow-origin"] == live.origin_list[0]
    assert "access-control-allow-origin" not in foreign.headers
    assert answer.headers["access-control-allow-origin"] == live.origin_list[0]
    assert "access-control-allow-credentials" not in answer.headers


def ask_for_a_page_and_read_nothing(live: Settings, token: str) -> socket.socket:
    url = httpx2.URL(live.gateway_urls[0])
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    asking.connect((url.host, url.port))
    asking.sendall(f"GET /v1/inbox?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return asking


async def test_unread_pages_are_few_and_freed_when_their_reader_leaves(
    live: Settings, user: str, stored: Database
) -> None:
    large = {"body": msgspec.json.encode({"message": "x" * 8_000})}
    await store(stored, *(document(user, n, NOW, **large) for n in range(120)))
    token = mint(live, sub=user, scope=SUBSCRIBE)

    async with asking(live, user) as http:
        answers: list[httpx2.Response] = []

        async def is_refused() -> bool:
            answers.append(await http.get("/inbox", params={"limit": 1}))
            return answers[-1].status_code == 429

        with ExitStack() as readers:
            for _ in range(PAGES_OF_USER):
                reader = readers.enter_context(closing(ask_for_a_page_and_read_nothing(live, token)))
                # before anybody else asks: of five at once, one of the readers might be the one that is refused
                assert await asyncio.to_thread(reader.recv, 12) == b"HTTP/1.1 200"
            await until(is_refused)
            assert "pages of the inbox under way" in answers[-1].json()["detail"]

        async def is_free() -> bool:
            return not await is_refused()

        await until(is_free)


@pytest.mark.slow
async def test_while_mongodb_is_away_it_says_when_to_come_back(
    stack: Stack, live: Settings, user: str, stored: Database
) -> None:
    [id_] = await store(stored, document(user, 0, NOW))
    async with asking(live, user) as http:
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            asked = [
                http.get("/inbox"),
                http.get("/inbox/count"),
                http.post("/inbox/read", json={"ids": [id_]}),
                http.post("/inbox/read-all"),
            ]
            answers = await asyncio.gather(*asked)
            answers.append(await http.get("/inbox"))  # known to be down by now
        finally:
            stack.kill("mongodb", signal.SIGCONT)
        for answer in answers:
            is_problem(answer, 503)
            assert int(answer.headers["Retry-After"]) > 0

        async def works() -> bool:
            return (await http.post("/inbox/read", json={"ids": [id_]})).status_code == 200

        await until(works)
        assert (await http.get("/inbox/count")).json() == {"unread": 0}


async def test_the_documents_that_describe_it_are_served(live: Settings) -> None:
    async with httpx2.AsyncClient(base_url=live.gateway_urls[0], trust_env=False) as http:
        found = (await http.get("/openapi.json")).json()
        assert (await http.get("/asyncapi.json")).json() == msgspec.to_builtins(asyncapi.document())
    assert found["openapi"] == "3.1.0"
    assert "/v1/inbox" in found["paths"]
