"""The inbox over HTTP: what is in it, in which order, who may ask, and what marks do."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from clarion.client import HttpPublisher
from clarion.contracts import limits, times
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from deploy.local.stack import Stack
from services.gateway.http import asyncapi
from services.gateway.http.inbox_limits import PAGES_OF_USER
from tests.conftest import until
from tests.gateways import gateway

NOW = times.now()


@asynccontextmanager
async def asking(
    live: Settings, user: str, *, scope: str = SUBSCRIBE, gateway_number: int = 0
) -> AsyncGenerator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {mint(live, sub=user, scope=scope)}"}
    url = live.gateway_urls[gateway_number]
    async with httpx2.AsyncClient(base_url=f"{url}/v1", headers=headers, timeout=15, trust_env=False) as http:
        yield http


def document(user: str, n: int, at: datetime, **more: object) -> dict[str, Any]:
    id_ = new_id()
    item = {"id": id_, "type": "t", "message": "m", "sender": "s", "data": {"n": n}, "created_at": "c", "lane": "low"}
    base = {"_id": id_, "recipient": user, "lane": "low", "ord": n, "type": "t", "sender": "s", "state": "delivered"}
    base |= {"unread": True, "created_at": at, "purge_at": at + timedelta(days=30)}
    return base | {"body": msgspec.json.encode(item | {"ord": [0, n]})} | more


async def store(stored: Database, *documents: dict[str, Any]) -> list[str]:
    await notifications.collection(stored).insert_many(list(documents))
    return [one["_id"] for one in documents]


async def pages(http: httpx2.AsyncClient, **asked: object) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await http.get("/inbox", params={**asked, **cursor})  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}


async def test_pages_follow_one_another_newest_first_also_within_a_millisecond(
    live: Settings, user: str, stored: Database
) -> None:
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


async def test_what_is_gone_or_not_there_yet_does_not_appear_and_what_was_throttled_does(
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


def is_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"{}", 422, "required"),
        (b'{"ids":[]}', 422, "too_short"),
        (b'{"ids":["x"]}', 422, "pattern"),
        (b'{"ids":[' + b'"019353f5-0f2a-7c11-8a5b-0123456789ab",' * 500 + b'"019353f5-0f2a-7c11-8a5b-0123456789ab"]}',
         422, "too_long"),
        (b'{"ids":["019353f5-0f2a-7c11-8a5b-0123456789ab"],"all":true}', 422, "unknown_field"),
        (b" " * (limits.MARKED_BYTES + 1), 413, "too_large"),
    ],
)  # fmt: skip
async def test_a_wrong_mark_is_named(content: bytes, status: int, code: str, live: Settings, user: str) -> None:
    async with asking(live, user) as http:
        answer = await http.post("/inbox/read", content=content, headers={"Content-Type": "application/json"})
        assert is_problem(await http.post("/inbox/read", content=b"ids", headers={"Content-Type": "text/plain"}), 415)
    assert is_problem(answer, status)["errors"][0]["code"] == code


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


async def test_marks_answer_the_new_count_and_are_held_to_their_user(
    live: Settings, user: str, stored: Database
) -> None:
    one, two, three = await store(stored, *(document(user, n, NOW - timedelta(seconds=n)) for n in range(3)))
    [other] = await store(stored, document(f"{user}-else", 0, NOW))

    async with asking(live, user) as http:

        async def mark(verb: str, *ids: str) -> int:
            answer = await http.post(f"/inbox/{verb}", json={"ids": list(ids)})
            assert answer.status_code == 200, answer.text
            return answer.json()["unread"]

        async def listed(**asked: str) -> list[tuple[str, bool]]:
            return [(item["id"], item["unread"]) for page in await pages(http, **asked) for item in page]

        assert await mark("read", one, other, new_id()) == 2
        assert await mark("read", one) == 2  # again does no harm
        assert await listed() == [(one, False), (two, True), (three, True)]
        assert await mark("unread", one) == 3
        assert await mark("archive", two, one) == 1
        assert await listed() == [(three, True)]
        assert await listed(archived="true") == [(one, False), (two, False)]
        assert await mark("unread", one) == 1  # what is archived is never unread
        assert await mark("unarchive", one) == 1
        assert await listed() == [(one, False), (three, True)]
        assert await mark("unread", one) == 2
    [document_] = [await notifications.collection(stored).find_one({"_id": other})]
    assert document_ is not None
    assert document_["unread"] is True


async def test_what_is_gone_stays_gone_whatever_is_marked(live: Settings, user: str, stored: Database) -> None:
    states = ("collapsed", "retracted", "expired")
    ids = await store(stored, *(document(user, n, NOW, state=state, unread=None) for n, state in enumerate(states)))
    async with asking(live, user) as http:
        for verb in ("archive", "unarchive", "unread", "read", "unread", "archive"):
            assert (await http.post(f"/inbox/{verb}", json={"ids": ids})).json() == {"unread": 0}
        assert await pages(http) == await pages(http, archived="true") == [[]]


async def test_read_all_is_bounded_a_request_and_complete_in_the_end(
    live: Settings, user: str, stored: Database
) -> None:
    most = limits.READ_ALL_BATCHES * limits.IDS_PER_FRAME
    await store(stored, *(document(user, n, NOW - timedelta(seconds=n)) for n in range(most + 300)))
    async with asking(live, user) as http:
        assert (await http.get("/inbox/count")).json() == {"unread": limits.UNREAD_CAP}
        assert (await http.post("/inbox/read-all")).json() == {"unread": limits.UNREAD_CAP, "more": True}
        assert (await http.post("/inbox/read-all")).json() == {"unread": 0, "more": False}
        assert (await http.post("/inbox/read-all")).json() == {"unread": 0, "more": False}
    found = await notifications.collection(stored).count_documents({"recipient": user, "state": State.READ})
    assert found == most + 300


async def test_a_user_marks_no_faster_than_over_a_socket_and_slows_nobody_else(
    settings: Settings, user: str, tmp_path: Path
) -> None:
    """Each mark is a write. Many more than a socket may send frames in a second, over few connections."""
    under_way = asyncio.Semaphore(20)

    async def mark(http: httpx2.AsyncClient) -> httpx2.Response:
        async with under_way:
            return await http.post("/inbox/read", json={"ids": [new_id()]})

    # few a second: on a slow machine one client would not send more than the usual fifty
    async with (
        gateway(settings, tmp_path, frames_per_s=5) as own,
        asking(own.settings, user) as http,
        asking(own.settings, f"{user}-other") as other,
    ):
        answers = await asyncio.gather(*(mark(http) for _ in range(100)))
        assert (await mark(other)).status_code == 200
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert all("requests to the inbox a second" in answer.json()["detail"] for answer in refused)


def ask_for_a_page_and_read_nothing(live: Settings, token: str) -> socket.socket:
    url = httpx2.URL(live.gateway_urls[0])
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    asking.connect((url.host, url.port))
    asking.sendall(f"GET /v1/inbox?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return asking


async def test_pages_that_a_user_does_not_read_are_few_and_free_once_their_reader_is_gone(
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
