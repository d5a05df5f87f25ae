"""Every process works as a user who may do what its role needs alone, also while all secrets are rotated under load."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx2
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from clarion.broker import clients
from clarion.client import Publisher, Unavailable
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.security.tokens import OPERATE, mint
from deploy.local.servers import kafka as local_kafka
from deploy.local.servers.ports import HOST
from tests.certificates import Authority
from tests.conftest import until
from tests.edges.deployment import NAMES, PROCESSES, Deployment, Running, clarion, running
from tests.edges.kafka_server import PASSWORD
from tests.subprocesses import health_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NEW: Final = "another password, as good"


@pytest.fixture(scope="module")
async def works(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Running]:
    async with running(deployment, tmp_path_factory.mktemp("logs")) as found:
        yield found


async def test_a_notification_of_each_lane_arrives(works: Running, user: str) -> None:
    async with works.publisher() as publisher, works.subscriber(user) as arrived, asyncio.timeout(60):
        ids = {await publisher.publish(recipient=user, type="t", message="m", priority=lane) for lane in LANES}
        straight = works.deployment.settings("publisher")
        security = straight.kafka_security
        async with Publisher.kafka(straight.kafka, sender="s", prefix=straight.prefix, security=security) as kafka:
            soon = times.now() + timedelta(seconds=2)
            ids |= {
                await kafka.publish(recipient=user, type="t", message="straight"),
                await kafka.publish(recipient=user, type="t", message="later", deliver_at=soon),
            }
        assert {(await anext(arrived)).id for _ in ids} == ids
    assert works.refusals() == []


async def test_marks_retractions_and_disconnecting_work(works: Running, user: str) -> None:
    async with works.publisher() as publisher, works.subscriber(user) as arrived, asyncio.timeout(60):
        read, gone, held = [
            await publisher.publish(recipient=user, type="t", message="m", deliver_at=at)
            for at in (None, None, times.now() + timedelta(hours=1))
        ]
        assert {(await anext(arrived)).id for _ in range(2)} == {read, gone}
        await arrived.read([read])

        async def is_in(id_: str, state: str) -> bool:
            found = await publisher.status(id_)
            return found is not None and str(found.state) == state

        await until(lambda: is_in(read, "read"))
        for id_ in (gone, held):
            await publisher.retract(id_)
            await until(lambda id_=id_: is_in(id_, "retracted"))
    token = {"Authorization": f"Bearer {mint(works.client, sub='op', scope=OPERATE)}"}
    async with httpx2.AsyncClient(trust_env=False, timeout=10, headers=token) as http:
        ended = await http.post(f"{works.client.gateway_url}/v1/users/{user}/disconnect")
        assert ended.status_code == 202, ended.text
        for path in (f"/v1/users/{user}", f"/v1/trace/{read}", "/v1/overview", "/v1/dead-letters"):
            asked = await http.get(works.console + path, timeout=60)
            assert asked.status_code == 200, f"{path}: {asked.text}"
    assert works.refusals() == []


async def test_an_operators_commands_work(works: Running) -> None:
    operator, administrator = works.operator(), works.deployment.administrator()
    async with clients.producer(administrator) as producer:
        await clients.send_all(producer, [{"topic": NAMES.notifications(Lane.NORMAL), "value": b"{}"}])

    async def letters() -> list[dict[str, str]]:
        return json.loads(await clarion(operator, "dlq", "list", "--json"))["items"]

    await until(letters)
    [letter] = await letters()
    await clarion(operator, "dlq", "replay", letter["id"], "--yes")
    await clarion(operator, "dlq", "purge", letter["id"], "--yes")
    assert await clarion(operator, "topics", "apply") == "all topics are as declared\n"
    # it warns of the letter, and of a disk that has little room
    told = json.loads(await clarion(operator, "doctor", "--json", code=1))
    assert [check for check in told["checks"] if check["result"] == "failed"] == []
    assert works.refusals() == []


async def test_nothing_is_lost_while_secrets_are_rotated(works: Running, user: str) -> None:
    published: set[str] = set()
    ending = asyncio.Event()

    async def publish() -> None:
        async with works.publisher() as publisher:
            while not ending.is_set():
                published.add(
                    await publisher.publish(
                        recipient=user, type="t", message="m", priority="high", idempotency_key=new_id()
                    )
                )
                await asyncio.sleep(0.05)

    async with works.subscriber(user) as arrived:
        publishing = asyncio.create_task(publish())
        await until(lambda: len(published) > 20)
        await rotate_kafka(works.deployment)
        await rotate_mongodb(works.deployment)
        await until(lambda: all_answer(works), within_s=60)
        before = len(published)
        await until(lambda: len(published) > before + 20, within_s=60)
        ending.set()
        await publishing
        received: list[str] = []
        async with asyncio.timeout(60):
            while len({*received} & published) < len(published):
                received.append((await anext(arrived)).id)
    assert {*received} == published
    assert len(received) == len(published)


async def all_answer(works: Running) -> bool:
    """Whether every process has all servers that it needs."""
    told = [await health_of(port) for port in works.admin.values()]
    return all(one["up"] for health in told for one in health["dependencies"].values())


async def rotate_kafka(deployment: Deployment) -> None:
    """Other passwords and another authority, and a broker that knows no others once it is back."""
    kafka = deployment.kafka
    old = kafka.authority.ca.read_bytes()
    authority = Authority(kafka.authority.ca.parent, "next")
    authority.issue("broker", HOST)
    kafka.authority.ca.write_bytes(old + authority.ca.read_bytes())
    admin = AdminClient({"bootstrap.servers": f"{HOST}:{kafka.ports['PLAINTEXT']}"})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    users = [deployment.user(role) for role in PROCESSES]
    altered = cast("Any", admin).alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, info, NEW.encode()) for user in users]
    )
    for done in altered.values():
        await asyncio.to_thread(done.result, 10)
    for role in PROCESSES:
        replace(deployment.secret(role, "kafka"), NEW)
    starts = kafka.child.restarts
    kafka.child.signal(signal.SIGTERM)
    await until(lambda: kafka.child.restarts > starts, within_s=60)
    await until(lambda: local_kafka.is_ready(kafka.ports["PLAINTEXT"]), within_s=60)
    kafka.authority.ca.write_bytes(authority.ca.read_bytes())


async def rotate_mongodb(deployment: Deployment) -> None:
    """Other passwords, and a certificate that is new, of a server that knows no others once it is back."""
    mongodb = deployment.mongodb
    for role in PROCESSES:
        mongodb.change_password(deployment.user(role), NEW)
        replace(deployment.secret(role, "mongodb"), mongodb.uri(deployment.user(role), NEW))
    mongodb.authority.issue("mongod", HOST)
    starts = mongodb.child.restarts
    mongodb.child.signal(signal.SIGTERM)
    await until(lambda: mongodb.child.restarts > starts, within_s=60)


def replace(path: Path, content: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(content)
    draft.replace(path)


async def test_the_password_from_before_is_refused(works: Running) -> None:
    """Else the test above would have shown nothing."""
    security = works.deployment.kafka.settings(
        "SECURE", kafka_user=works.deployment.user("gateway"), kafka_password=PASSWORD
    )
    publisher = Publisher.kafka(security.kafka, sender="s", deadline_s=5, security=security.kafka_security)
    with pytest.raises(Unavailable, match="user or password are refused"):
        async with publisher:
            pass
