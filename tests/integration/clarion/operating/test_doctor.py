"""`clarion doctor` on a whole stack of the test's own: all is well, and then one thing after another is not."""

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from clarion.broker import topics
from clarion.broker.group_offsets import asking
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.operating.doctor.check import Result
from clarion.operating.doctor.examination import Examination, examine
from clarion.settings import Settings
from clarion.store import indexes, sessions
from clarion.store.driver import database
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests.conftest import until
from tests.integration.clarion.operating.commands import clarion

pytestmark = pytest.mark.slow

# These depend on the machine, and not on Clarion.
DISKS = {"broker-disks", "database-disk"}
# Nothing was given for these, or no process has them.
UNASKED = {"notification", "monitoring", "accounting", "troubles"}


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    async with running(Folder(tmp_path_factory.mktemp("whole")), Plan(gateways=1, any_ports=True)) as stack:
        yield stack


@pytest.fixture
def settings(whole: Stack) -> Settings:
    return Settings.from_env(whole.env)


async def look(stack: Stack) -> tuple[Examination, dict[str, Any]]:
    """The examination, and what each check found, by its name."""
    found = await examine(Settings.from_env(stack.env), stack.env)
    return found, {finding.check: finding.outcome for finding in found.findings}


# What the monitors find beside depends on for how long it lasts, and they take it back minutes later.
MONITORED: Final = {*DISKS, "troubles"}


def amiss(outcomes: dict[str, Any], *, beside: set[str] = DISKS) -> dict[str, Any]:
    return {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome.result in (Result.WARNING, Result.FAILED) and name not in beside
    }


async def test_a_healthy_stack_is_well(whole: Stack) -> None:
    async def is_well() -> bool:
        found, outcomes = await look(whole)
        return found.health.status == "ok" and not amiss(outcomes)

    await until(is_well)  # groups become stable, and the first windows are slow
    found, outcomes = await look(whole)
    assert (amiss(outcomes), found.health.reasons) == ({}, [])
    skipped = {name for name, outcome in outcomes.items() if outcome.result is Result.SKIPPED}
    assert skipped <= UNASKED | {"broker-clock"}
    assert found.health.roles["gateway"].ready == 1


async def test_the_command_prints_json_and_exits_by_the_worst(whole: Stack) -> None:
    code, printed = await clarion(whole, "doctor", "--json")
    said = json.loads(printed)
    assert said["health"]["status"] == "ok"
    results = {one["result"] for one in said["checks"]}
    assert code == said["exit_code"] == (2 if "failed" in results else 1 if "warning" in results else 0)
    code, printed = await clarion(whole, "doctor")
    lines = printed.splitlines()
    assert (code, lines[0]) == (said["exit_code"], "the system is ok")
    assert any("✓ ok" in line and " topics " in line for line in lines)


async def test_a_topic_of_wrong_retention_is_named(whole: Stack, settings: Settings) -> None:
    low = Names(settings.prefix).notifications(Lane.LOW)
    (declared,) = [topic for topic in topics.declared(settings) if topic.name == low]

    async def keep(configs: dict[str, str]) -> None:
        async with asking(settings) as admin:
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, low, configs=configs)])

    await keep({**declared.config, "retention.ms": "3600000"})
    try:

        async def is_seen() -> bool:
            _, outcomes = await look(whole)
            return outcomes["topics"].result is Result.FAILED

        await until(is_seen)
        _, outcomes = await look(whole)
        assert amiss(outcomes).keys() == {"topics"}
        assert f"{low} has retention.ms=3600000" in outcomes["topics"].evidence
        assert "kafka-configs" in outcomes["topics"].evidence
    finally:
        await keep(dict(declared.config))


async def test_a_missing_index_is_named(whole: Stack, settings: Settings) -> None:
    connection = database.connect(settings)
    try:
        await sessions.collection(connection).drop_index("route")
        _, outcomes = await look(whole)
        assert amiss(outcomes).keys() == {"indexes"}
        assert outcomes["indexes"].evidence == "sessions.route is missing"
    finally:
        await indexes.ensure(connection)
        database.close(connection)


async def test_a_stopped_lane_is_named(whole: Stack) -> None:
    (spec,) = [spec for spec in whole.specs if spec.name == "low"]
    await whole.stop_child("low")
    try:

        async def has_left() -> bool:
            _, outcomes = await look(whole)
            return outcomes["workers"].result is Result.FAILED

        await until(has_left)
        found, outcomes = await look(whole)
        assert found.health.status == "failing"
        assert found.health.reasons[0] == "no process of the role low is ready"
        assert "nobody reads the lane low" in outcomes["workers"].evidence
        assert amiss(outcomes, beside=MONITORED).keys() == {"health", "workers"}
    finally:
        await whole.start_service(spec)


async def test_a_stopped_mongodb_is_named_and_hides_no_other(whole: Stack) -> None:
    await whole.stop_child("mongodb")
    try:

        async def is_seen() -> bool:
            found, _ = await look(whole)
            return any("mongodb is down" in reason for reason in found.health.reasons)

        await until(is_seen)
        found, outcomes = await look(whole)
        assert found.health.status == "degraded"
        assert outcomes["replica-set"].result is Result.FAILED
        assert f"127.0.0.1:{whole.ports['mongodb']}" in outcomes["replica-set"].evidence
        assert outcomes["indexes"].evidence == "MongoDB does not answer: see the check `replica-set`"
        assert (outcomes["broker"].result, outcomes["topics"].result) == (Result.OK, Result.OK)
        assert amiss(outcomes, beside=MONITORED).keys() == {"health", "replica-set", "ports"}
        assert found.exit_code == 2
    finally:
        await whole.start_mongodb()


async def test_a_stopped_kafka_is_named_and_hides_no_other(whole: Stack) -> None:
    async def are_back() -> bool:
        _, outcomes = await look(whole)
        return all(outcomes[name].result is Result.OK for name in ("broker", "replica-set", "ports"))

    await until(are_back)
    await whole.stop_child("kafka")
    try:
        _, outcomes = await look(whole)
        assert outcomes["broker"].result is Result.FAILED
        assert f"127.0.0.1:{whole.ports['kafka']} (CLARION_KAFKA)" in outcomes["broker"].evidence
        assert outcomes["lag"].evidence == "Kafka does not answer: see the check `broker`"
        assert outcomes["replica-set"].result is Result.OK
        assert amiss(outcomes, beside=MONITORED).keys() <= {"health", "broker", "ports"}
    finally:
        await whole.start_kafka()
