"""Ingest's application without a broker and a store, and a client of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2

from clarion.contracts import times
from clarion.contracts.api.problems import KEY_REUSED, TYPES
from clarion.contracts.api.status import State, Status
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Receipt
from clarion.security.tokens import mint
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from clarion.web.budget import Budget
from services.ingest.routes import make_app
from services.ingest.sender_limit import SenderLimit
from services.ingest.traces import Traces

SETTINGS = Settings(env="dev", jwt_secret="s" * 32)
ONE = "/v1/notifications"
BATCH = "/v1/notifications/batch"
GOOD = {"type": "a", "message": "x", "recipient": "bob"}
MINE = Status(
    id="019b7d3e-5c00-7abc-8def-0123456789ab",
    recipient="bob",
    sender="svc",
    type="a",
    priority=Lane.LOW,
    state=State.PENDING,
    created_at=times.now(),
)


class Store:
    """Stands for the lookup in MongoDB: has `MINE`, or raises `failure`."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[str, str | None]] = []
        self.others: dict[str, Status] = {}

    async def find(self, id_: str, sender: str | None) -> Status | None:
        self.asked.append((id_, sender))
        if self.failure:
            raise self.failure
        return MINE if id_ == MINE.id and sender in (None, MINE.sender) else self.others.get(id_)


class Broker:
    """Stands for `Acceptor`: takes all, or what `outcome` says."""

    def __init__(self, outcome: Exception | bool | None = None) -> None:
        self.outcome = outcome
        self.taken: list[Notification] = []
        self.headers: list[Sequence[tuple[str, bytes]]] = []  # of each request's records
        self.told: list[Receipt] = []
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def accept(self, notifications: Sequence[Notification], headers: Sequence[tuple[str, bytes]]) -> list[bool]:
        self.entered.set()
        await self.go.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.taken += notifications
        self.headers.append(headers)
        return [self.outcome is not False] * len(notifications)

    async def tell(self, receipt: Receipt) -> bool:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.told.append(receipt)
        return self.outcome is not False


def client(
    broker: Broker | None = None,
    budget: Budget | None = None,
    scope: str = "publish",
    limit: SenderLimit | None = None,
    store: Store | None = None,
    sub: str = "svc",
    traces: Traces | None = None,
) -> httpx2.AsyncClient:
    producer: Any = broker or Broker()
    find, no_limit, traces = (store or Store()).find, SenderLimit(0, 1), traces or Traces(0, 0)
    transport = httpx2.ASGITransport(
        make_app(Verifier(SETTINGS), producer, find, budget or Budget(), limit or no_limit, traces),
        raise_app_exceptions=False,
    )
    token = mint(SETTINGS, sub=sub, scope=scope)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx2.AsyncClient(transport=transport, base_url="http://ingest", headers=headers)


def is_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found["status"] == status
    assert found["title"]
    assert found["type"] in {*TYPES.values(), KEY_REUSED}
    assert found["detail"]
    return found
