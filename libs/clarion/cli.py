"""The `clarion` command: its own commands, and those that services bring by entry points `clarion.commands`.

Everything heavy is imported inside the command that needs it: `clarion token` starts no Faust.
"""

import asyncio
import logging
from typing import Annotated, Any

import typer
from rich.console import Console

import clarion
from clarion.client_commands import publish, tail
from clarion.lazy_commands import LazyGroup
from clarion.moments import seconds
from clarion.security.tokens import TokenError, mint
from clarion.settings import Settings, SettingsError


class _Group(LazyGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            _say_red(str(error))
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with locals would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
topics = typer.Typer(no_args_is_help=True, help="Make or check the Kafka topics.")
app.add_typer(topics, name="topics")
app.command()(publish)
app.command()(tail)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(clarion.__version__)
        raise typer.Exit


@app.callback()
def clarion_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Clarion: notifications delivered once, to the right person, live or later.

    Settings come from the environment (CLARION_*): CLARION_KAFKA, CLARION_MONGODB, CLARION_JWT_SECRET and more.
    CLARION_ENV=dev is for trying.
    """
    # what went wrong is said once, in red; a service sets its levels itself
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@topics.command("apply")
def topics_apply() -> None:
    """Create the topics that are missing, then check all; exit 1 with what differs."""
    from clarion.broker import topics as broker_topics

    settings = Settings.from_env()
    for name in _ask_broker(broker_topics.apply(settings), settings):
        typer.echo(f"created {name}")
    _report(_ask_broker(broker_topics.check(settings), settings))


@topics.command("check")
def topics_check() -> None:
    """Compare the broker's topics with the declared ones; exit 1 with what differs."""
    from clarion.broker import topics as broker_topics

    settings = Settings.from_env()
    _report(_ask_broker(broker_topics.check(settings), settings))


def _ask_broker(asking: Any, settings: Settings) -> list[str]:
    from clarion.broker.clients import SEND_ERRORS

    try:
        return asyncio.run(asking)
    except SEND_ERRORS as error:
        _say_red(f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error}")
        raise typer.Exit(1) from error


def _report(differences: list[str]) -> None:
    for difference in differences:
        typer.echo(difference, err=True)
    if differences:
        raise typer.Exit(1)
    typer.echo("all topics are as declared")


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="The user or service the token is for.")],
    scope: Annotated[
        str, typer.Option(help="Space-separated: publish, publish:any, subscribe, operate.")
    ] = "subscribe publish",
    ttl: Annotated[str, typer.Option(help="How long it is good for: 90s, 15m, 1h, 7d.")] = "1h",
) -> None:
    """Print a token signed with CLARION_JWT_SECRET: for development and tests."""
    ttl_s = seconds(ttl)
    try:
        typer.echo(mint(Settings.from_env(), sub=sub, scope=scope, ttl_s=ttl_s))
    except TokenError as error:
        raise SettingsError(f"{error}: set CLARION_JWT_SECRET (or _FILE), at least 32 bytes") from error


def _say_red(message: str) -> None:
    Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """The entry point of the script `clarion`."""
    app(prog_name="clarion")


if __name__ == "__main__":
    main()
