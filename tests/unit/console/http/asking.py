"""A console over processes that answer as a test says, without servers."""

from collections.abc import Sequence
from typing import Any

import httpx2

from clarion.contracts.topics import Names
from clarion.operating.processes import ProcessView
from clarion.security.tokens import mint
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from clarion.telemetry.health import Dependency
from clarion.web.budget import Budget
from services.console.desk import Desk
from services.console.documents import Documents, sources
from services.console.http.app import make_app
from services.console.live import Live

SETTINGS = Settings(env="dev", jwt_secret="s" * 32, ingest_url="http://127.0.0.1:9", gateway_url="http://127.0.0.1:9")


async def nobody() -> list[ProcessView]:
    return []


def client(
    scope: str = "operate",
    budget: Budget | None = None,
    mongodb: bool | None = None,
    live: Live | None = None,
    settings: Settings = SETTINGS,
) -> httpx2.AsyncClient:
    nothing: Any = None
    desk = Desk(
        settings,
        nothing,
        Names(),
        Dependency("mongodb", up=mongodb),
        Dependency("kafka"),
        nothing,
        budget or Budget(),
        live or Live(nobody),
        Documents(sources(settings)),
    )
    transport = httpx2.ASGITransport(make_app(Verifier(settings), Verifier(settings), desk), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {mint(settings, sub='op', scope=scope)}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://console", headers=headers)


def gateway(name: str, port: int = 9400, **figures: Any) -> ProcessView:
    return ProcessView(name, f"http://10.0.0.1:{port}", "gateway", "ok", (), (), figures)


def answers(*rounds: Sequence[ProcessView]) -> Any:
    """Answer with these views, one round after another, the last one for ever."""
    left = list(rounds)

    async def ask() -> list[ProcessView]:
        return list(left.pop(0) if len(left) > 1 else left[0])

    return ask
