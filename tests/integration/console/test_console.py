"""The console of the running stack: dead letters over HTTP, and the audit log of what was done."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from clarion.client import HttpPublisher
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.security.tokens import mint
from clarion.settings import Settings
from clarion.store.driver.database import Database
from clarion.web.revocations import KNOWN_S
from deploy.local.stack import Stack
from tests.conftest import until
from tests.disconnecting import disconnect
from tests.integration.stream.receipts.test_dead_letters import letters_of, send
from tests.subprocesses import health_of


@asynccontextmanager
async def operating(
    stack: Stack, live: Settings, who: str, scope: str = "operate"
) -> AsyncGenerator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {mint(live, sub=who, scope=scope)}"}
    url = f"http://127.0.0.1:{stack.ports['console']}/v1"
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


def done(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_a_letter_is_found_mended_replayed_and_purged(
    stack: Stack, live: Settings, stored: Database, user: str
) -> None:
    await send(live, Names(live.prefix).notifications(Lane.LOW), user, *[b"no json %d" % n for n in range(3)])
    await letters_of(stored, user, 3)
    async with operating(stack, live, user) as http:
        first = done(await http.get("/dead-letters", params={"recipient": user, "limit": 2}))
        rest = done(await http.get("/dead-letters", params={"recipient": user, "cursor": first["next"]}))
        items = [*first["items"], *rest["items"]]
        assert ([len(first["items"]), len(rest["items"])], rest["next"]) == ([2, 1], None)
        id_ = items[0]["id"]
        for name in (id_, quote(id_, safe=""), id_.rpartition("/")[0]):
            assert done(await http.get(f"/dead-letters/{name}"))["id"] == id_
        good = f'{{"type": "a", "message": "m", "recipient": "{user}", "sender": "s"}}'
        edited = done(await http.patch(f"/dead-letters/{id_}", json={"value": {"text": good}}))
        assert (edited["edited_by"], edited["fault"]) == (user, None)
        dry = done(await http.post("/dead-letters/replay", json={"filter": {"recipient": user}, "dry_run": True}))
        assert (dry["done"], dry["failed"]) == (3, 0)
        replayed = done(await http.post("/dead-letters/replay", json={"ids": [id_, "nowhere/0/0"]}))
        assert (replayed["done"], replayed["failed"]) == (1, 1)
        assert done(await http.get(f"/dead-letters/{id_}"))["state"] == "replayed"
        purged = done(await http.post("/dead-letters/purge", json={"filter": {"recipient": user}}))
        assert purged == {"purged": 3, "next": None}
        gone = await http.get(f"/dead-letters/{id_}")
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:clarion:problem:not-found")
        log = done(await http.get("/audit", params={"who": user}))
    assert [one["action"].partition(".")[2] for one in log["items"]] == ["purge", "replay", "edit"]
    assert {(one["via"], one["outcome"]) for one in log["items"]} == {("console", "done")}
    assert [one["detail"] for one in log["items"]][:2] == ["3 purged", "1 replayed, 1 not, 0 passed over"]
    assert good not in str(log)


async def test_the_audit_log_has_pages_and_filters(stack: Stack, live: Settings, user: str) -> None:
    async with operating(stack, live, user) as http:
        for n in range(3):
            done(await http.post("/dead-letters/purge", json={"ids": [f"nowhere/0/{n}"]}))
        first = done(await http.get("/audit", params={"who": user, "limit": 2}))
        rest = done(await http.get("/audit", params={"who": user, "limit": 2, "cursor": first["next"]}))
        assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
        assert done(await http.get("/audit", params={"who": user, "action": "other"}))["items"] == []
        assert done(await http.get("/audit", params={"who": user, "until": first["items"][1]["at"]}))["items"]


async def test_look_ups_are_told_and_noted(stack: Stack, live: Settings, publisher: HttpPublisher, user: str) -> None:
    recipient = f"{user}/ü ?"
    id_ = await publisher.publish(recipient=recipient, type="t", message="secret words", priority="high")
    async with operating(stack, live, user) as http:

        async def is_stored() -> bool:
            return done(await http.get(f"/trace/{id_}"))["ending"] == "pending"

        await until(is_stored)
        story = done(await http.get(f"/trace/{id_.upper()}"))
        assert {"accepted", "taken by Kafka", "stored"} <= {step["what"] for step in story["steps"]}
        found = done(await http.get(f"/users/{quote(recipient, safe='')}"))
        assert (found["user"], found["pending"]["high"]["count"], found["sessions"]) == (recipient, 1, [])
        nobody = done(await http.get("/users/nobody-at-all"))
        assert nobody["last_acknowledged"] is None
        log = done(await http.get("/audit", params={"who": user, "limit": 3}))
    assert [(one["action"], one["about"], one["detail"]) for one in log["items"]] == [
        ("user.look_up", {"user": "nobody-at-all"}, "not connected"),
        ("user.look_up", {"user": recipient}, "not connected"),
        ("trace.look_up", {"notification": id_}, "pending"),
    ]
    assert {one["outcome"] for one in log["items"]} == {"done"}
    assert "secret" not in str(log)


async def test_the_overview_has_every_part_of_the_running_system(stack: Stack, live: Settings, user: str) -> None:
    async with operating(stack, live, user) as http:

        async def is_whole() -> bool:
            lanes = done(await http.get("/overview"))["lanes"]
            return all(lane["lag_records"] is not None and lane["stored_per_s"] is not None for lane in lanes)

        await until(is_whole)
        overview, charts = done(await http.get("/overview")), done(await http.get("/charts"))
    assert [lane["lane"] for lane in overview["lanes"]] == ["urgent", "high", "normal", "low"]
    assert {(lane["workers"], lane["ready"]) for lane in overview["lanes"]} == {(1, 1)}
    assert {process["name"] for process in overview["processes"]} == {spec.name for spec in stack.specs}
    assert {gateway["name"] for gateway in overview["gateways"]} == {"gateway-1", "gateway-2"}
    assert all(gateway["mailbox"] is not None for gateway in overview["gateways"] if gateway["is_ready"])
    assert overview["figures"]["mailboxes_free"] is not None
    assert len(charts["points"][-1]["values"]) == len(charts["series"])


async def test_the_stream_brings_look_after_look_until_the_token_ends(stack: Stack, live: Settings, user: str) -> None:
    url = f"http://127.0.0.1:{stack.ports['console']}/v1/stream"
    soon = mint(live, sub=user, scope="operate", ttl_s=-live.token_leeway_s + 8)
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        headers = {"Authorization": f"Bearer {soon}"}
        async with asyncio.timeout(40), http.stream("GET", url, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line async for line in answer.aiter_lines()]
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    moments = [event["at"] for event in events[:-1]]
    assert len(moments) >= 2
    assert moments == sorted(set(moments))
    assert events[-1]["code"] == 4401
    assert "expired" in events[-1]["reason"]


@pytest.mark.slow
async def test_without_mongodb_the_overview_goes_on_and_says_so(stack: Stack, live: Settings, user: str) -> None:
    async with operating(stack, live, user) as http:
        done(await http.get("/users/nobody"))
        await stack.stop_child("mongodb")
        try:

            async def is_told() -> bool:
                overview = done(await http.get("/overview"))
                return any("mongodb is down" in reason for reason in overview["reasons"])

            await until(is_told)
            await asyncio.sleep(KNOWN_S + 1)  # nothing is remembered of this operator's token any more
            done(await http.get("/overview"))
            done(await http.get("/charts"))
            assert (await http.get("/users/nobody")).status_code == 503
            assert (await http.get("/dead-letters")).status_code == 503
        finally:
            await stack.start_mongodb()

        async def is_back() -> bool:
            return (await http.get("/users/nobody")).status_code == 200

        await until(is_back)


async def test_a_token_in_an_address_opens_no_stream(stack: Stack, live: Settings, user: str) -> None:
    token = mint(live, sub=user, scope="operate")
    async with httpx2.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{stack.ports['console']}/v1/stream"
        for name in ("access_token", "token"):
            assert (await http.get(url, params={name: token})).status_code == 401


async def test_the_page_and_all_descriptions_are_served(stack: Stack, live: Settings, user: str) -> None:
    root = f"http://127.0.0.1:{stack.ports['console']}"
    async with operating(stack, live, user) as http:
        described = {
            name: done(await http.get(f"/reference/{name}")) for name in ("ingest", "gateway", "client-protocol")
        }
        assert (await http.get("/reference/other")).status_code == 404
        page = await http.get(f"{root}/")
    assert "/v1/notifications" in described["ingest"]["paths"]
    assert "/v1/inbox" in described["gateway"]["paths"]
    assert described["client-protocol"]["asyncapi"] == "3.0.0"
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_an_operator_who_was_disconnected_is_refused(stack: Stack, live: Settings, user: str) -> None:
    async with operating(stack, live, user) as http:
        done(await http.get("/dead-letters"))
        token = mint(live, sub="root", scope="operate")
        assert (await disconnect(live.gateway_urls[0], user, token)).status_code == 202

        async def is_refused() -> bool:
            return (await http.get("/dead-letters")).status_code == 401

        await until(is_refused)


async def test_the_console_is_healthy_and_describes_itself(stack: Stack) -> None:
    health = await health_of(stack.ports["console-admin"])
    assert [one["up"] for one in health["dependencies"].values()] == [True, True]
    # a busy machine makes event loops late, which the monitor says
    assert [reason for reason in health["reasons"] if "runbook.md#event-loop-slow" not in reason] == []
    async with httpx2.AsyncClient(trust_env=False) as http:
        described = (await http.get(f"http://127.0.0.1:{stack.ports['console']}/openapi.json")).json()
    assert "/v1/dead-letters/replay" in described["paths"]
