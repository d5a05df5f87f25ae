"""`clarion access`: shows what each role may do at Kafka and MongoDB, and has both allow that and no more."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from clarion.cli.topic_commands import say_red
from clarion.contracts.topics import Names
from clarion.settings import Settings

if TYPE_CHECKING:
    from clarion.operating.access.roles import Role

access = typer.Typer(no_args_is_help=True, help="Show and apply what each role may do at Kafka and MongoDB.")

As = Annotated[
    list[str],
    typer.Option(
        "--as",
        help="The user of a role at Kafka, as ROLE=USER; may be repeated. Without it, the user is CLARION_PREFIX, "
        "`clarion-` and the role.",
        show_default=False,
    ),
]
Only = Annotated[
    list[str], typer.Option("--role", help="Only this role; may be repeated. All without it.", show_default=False)
]
_NO_USERS: Final[list[str]] = []


@access.command("list")
def list_() -> None:
    """Print which operations each role needs, by topic, group and collection."""
    from clarion.operating.access.roles import roles

    settings = Settings.from_env(knows_users=False)
    out = Console(highlight=False)
    for role in roles(Names(settings.prefix)):
        table = Table("where", "what", "may", title=f"{role.name}: {role.about}", title_justify="left", expand=False)
        for grant in role.kafka:
            table.add_row("Kafka", f"{grant.resource} {grant.name}", grant.operation)
        for collection, actions in role.mongodb.items():
            table.add_row("MongoDB", collection or "(the database)", ", ".join(dict.fromkeys(actions)))
        out.print(table)


@access.command("apply")
def apply(
    as_: As = _NO_USERS,
    role: Only = _NO_USERS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete the ACLs that these users have and do not need.")
    ] = False,
    only: Annotated[
        str, typer.Option(help="Only one server: kafka or mongodb.", show_default=False, metavar="SERVER")
    ] = "",
) -> None:
    """Have Kafka's ACLs and MongoDB's roles allow each role what it needs. Doing it again changes nothing.

    It makes no users, whose passwords are yours: give each user of MongoDB its role by `grantRolesToUser`. Run it as an
    administrator of both, since no role of Clarion may give permissions.
    """
    from clarion.operating.access.roles import roles

    settings = Settings.from_env(knows_users=False)
    if only not in ("", "kafka", "mongodb"):
        raise typer.BadParameter("--only is kafka or mongodb")
    known = {one.name: one for one in roles(Names(settings.prefix))}
    users = {name: f"{settings.prefix}clarion-{name}" for name in known} | _users(as_)
    if unknown := sorted({*users, *role} - {*known}):
        raise typer.BadParameter(f"there is no role {', '.join(unknown)}: name one of {', '.join(known)}")
    chosen = [known[name] for name in role or known]
    changes = 0
    if only != "mongodb":
        changes += _kafka(settings, chosen, users, dry_run=dry_run, prune=prune)
    if only != "kafka":
        changes += _mongodb(settings, chosen, dry_run=dry_run)
    if not changes:
        typer.echo("all permissions are as they should be")


def _users(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, user = one.partition("=")
        if not (name and equals and user):
            raise typer.BadParameter(f"{one} is not ROLE=USER, such as gateway=clarion-gateway")
        found[name] = user
    return found


def _kafka(settings: Settings, roles: "list[Role]", users: dict[str, str], *, dry_run: bool, prune: bool) -> int:
    from clarion.broker.clients import SEND_ERRORS
    from clarion.broker.group_offsets import asking
    from clarion.operating.access import acls

    async def run() -> int:
        async with asking(settings) as admin:
            missing, unneeded = await acls.compare(admin, acls.wanted(roles, users))
            for acl in missing:
                typer.echo(f"{'would allow' if dry_run else 'allowed'}: {acl}")
            for acl in unneeded:
                done = "would delete" if dry_run else "deleted"
                typer.echo(f"{done if prune else 'not needed (--prune deletes it)'}: {acl}")
            if not dry_run:
                await acls.create(admin, missing)
                await acls.delete(admin, unneeded if prune else [])
            return len(missing) + len(unneeded)

    try:
        return asyncio.run(run())
    except SEND_ERRORS as error:
        say_red(
            f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error}. It needs an authorizer, "
            "and a user who may describe and alter the cluster"
        )
        raise typer.Exit(1) from error


def _mongodb(settings: Settings, roles: "list[Role]", *, dry_run: bool) -> int:
    from clarion.operating.access import mongodb_roles
    from clarion.store.driver import database
    from clarion.store.queries.server import NotPermitted

    async def run() -> int:
        stored = database.connect(settings)
        try:
            differing = await mongodb_roles.differing(stored, roles)
            for role in roles:
                name = mongodb_roles.name_of(role)
                if name not in differing:
                    continue
                if not dry_run:
                    await mongodb_roles.apply(stored, role, exists=differing[name])
                done = "would change" if dry_run else "changed"
                made = "would make" if dry_run else "made"
                typer.echo(f"{done if differing[name] else made}: the role {name} of the database {settings.database}")
            return len(differing)
        finally:
            database.close(stored)

    try:
        return asyncio.run(run())
    except database.TRANSIENT as error:
        say_red(f"MongoDB (CLARION_MONGODB) did not answer: {error}")
        raise typer.Exit(1) from error
    except NotPermitted as error:
        say_red(f"MongoDB refuses that to the user of CLARION_MONGODB, who has to be a userAdmin: {error}")
        raise typer.Exit(1) from error
