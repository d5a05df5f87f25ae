"""Requests to the inbox over HTTP, and what is stored for its users."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx2
import msgspec

from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database

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


def is_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()
