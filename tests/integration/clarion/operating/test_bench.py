"""`clarion bench` on the running system."""

import json

import pytest

from clarion.contracts.ids import new_id
from clarion.operating.bench import load
from clarion.operating.bench.load import BenchError, Recipient, Target
from clarion.operating.bench.plan import PREFIX, Plan
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.integration.clarion.operating.commands import clarion

pytestmark = pytest.mark.slow


async def test_a_load_of_ten_seconds_loses_and_repeats_nothing(stack: Stack, stored: Database) -> None:
    code, said = await clarion(stack, "bench", "--rate", "50", "--for", "10s", "--users", "20", "--json")
    found = json.loads(said)
    assert code == (0 if found["is_met"] else 1)  # a busy machine may be too slow, and says so
    assert (sum(lane["published"] for lane in found["lanes"]), found["repeats"], found["errors"]) == (500, 0, [])
    for lane in found["lanes"]:
        assert lane["published"] == lane["accepted"] == lane["arrived"] > 0
        assert lane["lost"] == 0
        assert 0 < lane["p50"] <= lane["p95"] <= lane["p99"] <= lane["worst"]
    users = await notifications.collection(stored).distinct("recipient", {"type": "clarion.bench"})
    assert len(users) == 20
    assert all(user.startswith(PREFIX) for user in users)


async def test_tokens_that_are_given_need_no_secret(live: Settings) -> None:
    name = f"{PREFIX}{new_id()}"
    recipient = Recipient(name, mint(live, sub=name, scope=SUBSCRIBE))
    target = Target(live.ingest_url, live.gateway_urls, mint(live, sub="b", scope=PUBLISH), [recipient])
    found = await load.run(Plan(5, 1, 1), target)
    assert sum(lane.arrived for lane in found.lanes) == 5


async def test_a_real_user_gets_nothing(live: Settings, user: str) -> None:
    target = Target(live.ingest_url, live.gateway_urls, "", [Recipient(user, mint(live, sub=user, scope=SUBSCRIBE))])
    with pytest.raises(BenchError, match=f"{user} may be a real one"):
        await load.run(Plan(5, 1, 1), target)


async def test_gateways_that_do_not_answer_are_told(live: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "CONNECT_S", 0.5)
    name = f"{PREFIX}{new_id()}"
    target = Target(live.ingest_url, ["http://127.0.0.1:1"], "t", [Recipient(name, "t")])
    with pytest.raises(BenchError, match="CLARION_GATEWAY_URL"):
        await load.run(Plan(5, 1, 1), target)


async def test_a_refused_token_ends_the_load_at_once(live: Settings) -> None:
    name = f"{PREFIX}{new_id()}"
    target = Target(live.ingest_url, live.gateway_urls, "t", [Recipient(name, "no-token")])
    with pytest.raises(BenchError, match="a client cannot connect"):
        await load.run(Plan(5, 1, 1), target)


async def test_ingest_that_refuses_is_counted(live: Settings) -> None:
    name = f"{PREFIX}{new_id()}"
    recipient = Recipient(name, mint(live, sub=name, scope=SUBSCRIBE))
    wrong = mint(live, sub="b", scope=SUBSCRIBE)
    found = await load.run(Plan(5, 1, 1), Target(live.ingest_url, live.gateway_urls, wrong, [recipient]))
    assert not found.is_met
    assert [lane.accepted for lane in found.lanes] == [0, 0, 0, 0]
    assert found.errors
