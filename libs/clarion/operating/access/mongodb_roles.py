"""MongoDB's roles: one for each of Clarion's that uses it, in the deployment's own database."""

from collections.abc import Sequence
from typing import Final

from clarion.operating.access.roles import Role
from clarion.store.driver.database import Database, Document
from clarion.store.driver.failures import asked
from clarion.store.queries.server import permitted

PREFIX: Final = "clarion-"


def name_of(role: Role) -> str:
    """Return the name of a role at MongoDB."""
    return PREFIX + role.name


def privileges(role: Role, database: str) -> list[Document]:
    """Return what the role may do in `database`, as MongoDB writes it."""
    return [
        {"resource": {"db": database, "collection": name}, "actions": sorted(set(actions))}
        for name, actions in sorted(role.mongodb.items())
    ]


@permitted
@asked
async def differing(database: Database, roles: Sequence[Role]) -> dict[str, bool]:
    """Return the names of roles that are missing or different; the value says whether there is one of the name.

    Raises one of `TRANSIENT`, or `NotPermitted`.
    """
    known: Document = await database.command(
        {"rolesInfo": [name_of(role) for role in roles], "showPrivileges": True, "showBuiltinRoles": False}
    )
    there: dict[str, Document] = {one["role"]: one for one in known["roles"]}
    return {
        name: name in there
        for role in roles
        if role.mongodb and not _is_as(there.get(name := name_of(role)), privileges(role, database.name))
    }


@permitted
@asked
async def apply(database: Database, role: Role, *, exists: bool) -> None:
    """Make the role, or give it exactly the privileges of the table. Raises one of `TRANSIENT`, or `NotPermitted`."""
    told = {"privileges": privileges(role, database.name), "roles": []}
    await database.command({"updateRole" if exists else "createRole": name_of(role), **told})


def _is_as(there: Document | None, wanted: list[Document]) -> bool:
    if there is None or there["roles"]:
        return False
    found = [{"resource": one["resource"], "actions": sorted(one["actions"])} for one in there["privileges"]]
    return sorted(found, key=_collection) == wanted


def _collection(privilege: Document) -> str:
    return privilege["resource"].get("collection", "")
