"""Marks over HTTP: held to their user, limited, and answered with the new count."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.gateways import gateway
from tests.integration.gateway.http.asking import NOW, asking, document, is_problem, pages, store


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


async def test_marks_are_as_limited_as_over_a_socket_and_slow_nobody(
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
