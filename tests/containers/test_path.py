"""The whole way through containers: the contract, and every notification on every lane, live and replayed."""

import asyncio
import json

from clarion.client import Publisher, Subscriber
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from tests.containers.system import System
from tests.containers.traffic import flowing

UP_WITHIN_S = 180


def test_everything_is_ready_in_time(running: System) -> None:
    assert running.started_in_s < UP_WITHIN_S


def test_topics_have_the_replicas_that_production_needs(running: System) -> None:
    assert running.env["CLARION_REPLICATION"] == "3"
    running.run(["topics", "check"])  # fails for what differs, replicas included


async def test_all_lanes_deliver_in_order_and_nothing_twice(running: System) -> None:
    async with flowing(running.settings) as traffic:
        await asyncio.sleep(5)
    sent = traffic.settled()
    assert len(sent) > 50
    assert {one.lane for one in sent} == set(LANES)


async def test_what_came_while_away_is_replayed(running: System) -> None:
    user, settings = f"away-{new_id()}", running.settings
    async with Publisher.http(settings.ingest_url, token=mint(settings, sub="tests", scope=PUBLISH)) as publisher:
        ids = [await publisher.publish(recipient=user, type="t", message="m", priority=lane) for lane in LANES]
    async with (
        Subscriber(settings.gateway_urls, token=mint(settings, sub=user, scope=SUBSCRIBE)) as items,
        asyncio.timeout(30),
    ):
        assert {(await anext(items)).id for _ in ids} == set(ids)


def test_doctor_finds_the_system_well(running: System) -> None:
    _, said = running.ended(["doctor", "--json"])
    assert [check for check in json.loads(said)["checks"] if check["result"] == "failed"] == []
