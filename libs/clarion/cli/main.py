"""The command `clarion`: its own subcommands, and those of services, found by the entry points `clarion.commands`.

What takes long to import is imported inside the subcommand that needs it: `clarion token` imports no Faust.
"""

import logging
from typing import Annotated, Any

import typer

import clarion
from clarion.cli.access_command import access
from clarion.cli.audit_command import audit
from clarion.cli.bench_command import bench
from clarion.cli.client_commands import publish, tail
from clarion.cli.dead_letters.commands import dlq
from clarion.cli.doctor_command import doctor
from clarion.cli.lazy_commands import LazyGroup
from clarion.cli.lookup_commands import trace, user
from clarion.cli.times import seconds
from clarion.cli.topic_commands import say_red, topics
from clarion.security.tokens import TokenError, mint
from clarion.settings import Settings, SettingsError


class _Group(LazyGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            say_red(str(error))
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with locals would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(topics, name="topics")
app.add_typer(dlq, name="dlq")
app.add_typer(access, name="access")
app.command()(publish)
app.command()(tail)
app.command()(audit)
app.command()(doctor)
app.command()(trace)
app.command()(user)
app.command()(bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(clarion.__version__)
        raise typer.Exit


@app.callback()
def clarion_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Clarion: notifications delivered once, to the right person, live or later.

    Settings come from the environment (CLARION_*): CLARION_KAFKA, CLARION_MONGODB, CLARION_JWT_SECRET and more.
    CLARION_ENV=dev is for trying things out: services then start without a secret.
    """
    # the command reports an error itself, once, in red; a service sets its own log levels
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="The user or service the token is for.")],
    scope: Annotated[
        str, typer.Option(help="The scopes, separated by blanks: publish, publish:any, subscribe, operate.")
    ] = "subscribe publish",
    ttl: Annotated[str, typer.Option(help="How long the token is good for, such as 90s, 15m, 1h or 7d.")] = "1h",
) -> None:
    """Print a token signed with CLARION_JWT_SECRET: for development and tests."""
    ttl_s = seconds(ttl)
    try:
        typer.echo(mint(Settings.from_env(), sub=sub, scope=scope, ttl_s=ttl_s))
    except TokenError as error:
        raise SettingsError(f"{error}: set it, or CLARION_JWT_SECRET_FILE, to a secret of at least 32 bytes") from error


def main() -> None:
    """Run the command: the entry point of the script `clarion`."""
    app(prog_name="clarion")
