"""`clarion topics`: makes, checks and grows Kafka's topics."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console

from clarion.cli import times
from clarion.settings import Settings

_LOOK_EVERY_S: Final = 1.0

T = TypeVar("T")

topics = typer.Typer(no_args_is_help=True, help="Create, check or grow the Kafka topics.")


@topics.command("apply")
def apply() -> None:
    """Create the topics that are missing, then check all; print what differs, and exit with 1 if anything does."""
    from clarion.broker import topics as broker_topics

    settings = Settings.from_env(knows_users=False)
    for name in _ask_broker(broker_topics.apply(settings), settings):
        typer.echo(f"created {name}")
    # without asking MongoDB by how many partitions recipients are placed: that is not needed to start
    _report(_ask_broker(broker_topics.check(settings), settings).differences)


@topics.command("check")
def check() -> None:
    """Compare the broker's topics with the declared ones; print what differs, and exit with 1 if anything does.

    A topic that was grown has more partitions than are declared. That is a difference until recipients are placed by
    all of them.
    """
    from clarion.broker import topics as broker_topics

    settings = Settings.from_env(knows_users=False)
    differences, grown = _ask_broker(broker_topics.check(settings), settings)
    not_placed = asyncio.run(_not_placed(settings, grown)) if grown else {}
    for name, partitions in grown.items():
        if name not in not_placed:
            typer.echo(f"{name} was grown to {partitions} partitions")
    _report([*differences, *not_placed.values()])


@topics.command("grow")
def grow(
    topic: Annotated[str, typer.Argument(help="The topic without CLARION_PREFIX, such as notifications.high.")],
    partitions: Annotated[
        int, typer.Argument(min=1, help="How many partitions it is to have: a multiple of those that it has.")
    ],
    within: Annotated[str, typer.Option(help="How long to wait until they are in use, such as 90s, 5m or 1h.")] = "5m",
) -> None:
    """Give a topic more partitions, while it is in use, and wait until its lane has taken them in.

    The order of each recipient's notifications is kept: what comes into the new partitions waits until everything that
    came into the old ones before is done. That takes about 15 seconds, and longer if the lane has a backlog. Meanwhile
    /health of the lane is degraded and says so. The topics of scheduled notifications, receipts and dead letters do not
    wait.

    If this command is ended and started again, it goes on waiting. Afterwards `clarion topics check` accepts the new
    count. No setting has to change, except CLARION_PARTITIONS_DELIVERIES for gateways to use more mailboxes.
    """
    from clarion.broker import topics as broker_topics

    settings, seconds = Settings.from_env(knows_users=False), times.seconds(within)
    declared = [one.name.removeprefix(settings.prefix) for one in broker_topics.declared(settings)]
    if topic not in declared:
        raise typer.BadParameter(f"{topic} is not one of Clarion's topics: {', '.join(declared)}")
    name = settings.prefix + topic
    try:
        before = _ask_broker(broker_topics.grow(settings, name, partitions), settings)
    except broker_topics.CannotGrow as error:
        say_red(str(error))
        raise typer.Exit(1) from error
    typer.echo(f"{name} has {partitions} partitions, and had {before}")
    if topic.startswith("deliveries"):
        typer.echo(
            f"set CLARION_PARTITIONS_DELIVERIES to {partitions} for all processes: only then do gateways use the others"
        )
        return
    waiting = asyncio.run(_placed(settings, {name: partitions}, seconds))
    _report(waiting, "all partitions are in use: recipients are placed by all of them")


async def _placed(settings: Settings, grown: Mapping[str, int], within_s: float) -> list[str]:
    """Wait until recipients are placed by all partitions; return what is not after `within_s` seconds, in words."""
    ends_at = time.monotonic() + within_s
    while waiting := await _not_placed(settings, grown):
        if time.monotonic() > ends_at:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    return list(waiting.values())


async def _not_placed(settings: Settings, grown: Mapping[str, int]) -> dict[str, str]:
    """Return the grown topics whose recipients are not placed by all partitions yet, with a text for each."""
    from clarion.store import topics as stored_topics
    from clarion.store.driver import database

    stored = database.connect(settings)
    try:
        placings = await stored_topics.placings(stored_topics.collection(stored), grown)
    except database.TRANSIENT as error:
        why = f"but MongoDB does not tell by how many of them its recipients are placed: {error}"
        return {name: f"{name} has {partitions} partitions, {why}" for name, partitions in grown.items()}
    finally:
        database.close(stored)
    return {
        name: f"{name} has {grown[name]} partitions, but its recipients are still placed by {placing.partitions} of "
        "them, until older records are done: /health of its lane tells how many records wait"
        for name, placing in placings.items()
        if placing.partitions < grown[name]
    }


def _ask_broker(asking: Coroutine[Any, Any, T], settings: Settings) -> T:
    from clarion.broker.clients import SEND_ERRORS

    try:
        return asyncio.run(asking)
    except SEND_ERRORS as error:
        say_red(f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error}")
        raise typer.Exit(1) from error


def _report(differences: list[str], otherwise: str = "all topics are as declared") -> None:
    for difference in differences:
        typer.echo(difference, err=True)
    if differences:
        raise typer.Exit(1)
    typer.echo(otherwise)


def say_red(message: str) -> None:
    """Print a message to standard error, in red on a terminal."""
    Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
