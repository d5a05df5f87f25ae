"""`clarion access apply` on real servers: each role may do what the table says, and nothing else."""

from collections.abc import Iterator
from typing import Final

import pytest

from clarion.broker import topics
from clarion.broker.group_offsets import asking
from clarion.contracts.lanes import LANES
from clarion.operating.access import acls
from clarion.operating.access.roles import DATABASE as WHOLE
from clarion.operating.access.roles import Grant, Role, roles
from clarion.settings import Settings
from tests.edges.attempts import ACTIONS, ATTEMPTS, THERE, allowed_actions, is_allowed
from tests.edges.deployment import DATABASE, NAMES, Deployment, changed, clarion, role_of

ROLES: Final = [role.name for role in roles(NAMES)]
GROUPS: Final = [NAMES.group(role) for role in (*LANES, "scheduler", "receipts", "dead-letters")]
COLLECTIONS: Final = sorted({name for role in roles(NAMES) for name in role.mongodb} - {WHOLE})
DONE: Final = "all permissions are as they should be\n"


@pytest.fixture(scope="module", autouse=True)
def _documents(deployment: Deployment) -> Iterator[None]:
    """Each collection has a document that attempts meet."""
    with deployment.mongodb.client() as root:
        for name in COLLECTIONS:
            root[DATABASE][name].insert_one({"_id": THERE})
        yield
        root.drop_database(DATABASE)


def wanted(kind: str) -> list[tuple[str, str, str]]:
    names = [topic.name for topic in topics.declared(Settings(prefix=NAMES.prefix))] if kind == "topic" else GROUPS
    return [(kind, name, operation) for resource, operation in ATTEMPTS if resource == kind for name in names]


def may(role: Role) -> set[tuple[str, str, str]]:
    """What the table says; who may read a group may describe it."""
    told = {(grant.resource, grant.name, grant.operation) for grant in role.kafka}
    told |= {
        ("group", name, "DESCRIBE") for resource, name, operation in told if (resource, operation) == ("group", "READ")
    }
    return {one for one in told if (one[0], one[2]) in ATTEMPTS}


@pytest.mark.parametrize("name", ROLES)
async def test_kafka_lets_each_role_do_what_it_needs_alone(deployment: Deployment, name: str) -> None:
    settings = deployment.settings(name)
    assert await is_allowed(settings, [*wanted("topic"), *wanted("group")]) == may(role_of(name))


@pytest.mark.parametrize("name", ROLES)
async def test_mongodb_lets_each_role_do_what_it_needs_alone(deployment: Deployment, name: str) -> None:
    told = {(one, action) for one, actions in role_of(name).mongodb.items() for action in actions}
    found = await allowed_actions(deployment.settings(name), COLLECTIONS)
    assert found == {(one, action) for one, action in told if action in ACTIONS}


async def test_applying_again_changes_nothing(deployment: Deployment) -> None:
    administrator = deployment.administrator()
    assert await clarion(administrator, "access", "apply") == DONE
    assert await clarion(administrator, "access", "apply", "--dry-run") == DONE


async def test_what_is_too_much_is_told_and_taken_away_if_wanted(deployment: Deployment) -> None:
    administrator = deployment.administrator()
    [too_much] = acls.wanted(
        [Role("low", "", (Grant("topic", NAMES.receipts, "WRITE"),))], {"low": deployment.user("lane-low")}
    )
    async with asking(administrator) as admin:
        await acls.create(admin, [too_much])
    told = f"User:{deployment.user('lane-low')} may WRITE the topic {NAMES.receipts}"
    assert f"not needed (--prune deletes it): {told}" in await clarion(administrator, "access", "apply")
    only = ("--role", "lane-low", "--only", "kafka")
    assert f"would delete: {told}" in await clarion(administrator, "access", "apply", "--prune", "--dry-run", *only)
    assert f"deleted: {told}" in await clarion(administrator, "access", "apply", "--prune", *only)
    assert await clarion(administrator, "access", "apply", "--prune") == DONE


async def test_a_dry_run_shows_what_is_missing_and_makes_none(deployment: Deployment) -> None:
    other = changed(deployment.administrator(), prefix="other-", database="other")
    for _ in range(2):
        told = await clarion(other, "access", "apply", "--dry-run", "--role", "ingest", "--as", "ingest=svc")
        assert "would allow: User:svc may WRITE the topic other-notifications.urgent" in told
        assert "would make: the role clarion-ingest of the database other" in told


@pytest.mark.parametrize(
    ("only", "told"),
    [("kafka", "a user who may describe and alter the cluster"), ("mongodb", "who has to be a userAdmin")],
)
async def test_no_role_may_give_permissions(deployment: Deployment, only: str, told: str) -> None:
    operator = changed(deployment.settings("operator"), database=f"not-{DATABASE}", prefix="not-")
    assert told in await clarion(operator, "access", "apply", "--only", only, code=1)


async def test_a_role_that_there_is_not_is_refused_by_name(deployment: Deployment) -> None:
    told = await clarion(deployment.administrator(), "access", "apply", "--role", "gatway", code=2)
    assert "there is no role gatway" in told
