"""`clarion publish` and `clarion tail`: the SDK from a terminal."""

import asyncio
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from clarion.cli.times import moment
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings, SettingsError

if TYPE_CHECKING:
    from clarion.client import Received

_TOKEN_TTL_S: Final = 3_600
_COLOURS: Final = {Lane.URGENT: "bold red", Lane.HIGH: "yellow", Lane.NORMAL: "green", Lane.LOW: "blue"}

Token = Annotated[
    str | None,
    typer.Option(
        envvar="CLARION_TOKEN", help="The token. Without it, one is signed with CLARION_JWT_SECRET.", show_default=False
    ),
]


class Via(StrEnum):
    """How `publish` sends: through ingest, or straight to Kafka."""

    HTTP = "http"
    KAFKA = "kafka"


def publish(
    recipient: Annotated[str, typer.Argument(help="The user who gets the notification.")],
    message: Annotated[str, typer.Argument(help="The text that the user reads.")],
    type: Annotated[str, typer.Option(help="The type, such as call.missed.")] = "message",  # noqa: A002
    priority: Annotated[Lane, typer.Option(help="The priority, and so the lane.")] = Lane.NORMAL,
    data: Annotated[str | None, typer.Option(help="A JSON object that the client gets.", show_default=False)] = None,
    deliver_at: Annotated[
        str | None, typer.Option(help="When to deliver it, such as 2026-12-24T18:00:00Z.", show_default=False)
    ] = None,
    within: Annotated[
        str | None,
        typer.Option("--in", help="After how long to deliver it, such as 90s, 15m, 1h or 7d.", show_default=False),
    ] = None,
    via: Annotated[
        Via, typer.Option(help="Publish through ingest (CLARION_INGEST_URL), or straight to Kafka (CLARION_KAFKA).")
    ] = Via.HTTP,
    sender: Annotated[
        str, typer.Option(help="The sender. Over HTTP, a token that is signed here is for this name.")
    ] = "cli",
    idempotency_key: Annotated[
        str | None, typer.Option(help="A key for repeats: the same key publishes nothing twice.", show_default=False)
    ] = None,
    token: Token = None,
) -> None:
    """Publish one notification and print its id once Kafka has it."""
    from clarion.client import ClientError, Publisher

    settings = _settings(token)
    content, due = _json_object(data), moment(deliver_at, within, times.now())
    if idempotency_key == "":
        raise typer.BadParameter("--idempotency-key must not be empty: leave it out to publish without a key")

    async def run() -> str:
        if via is Via.KAFKA:
            security = settings.kafka_security
            publisher = Publisher.kafka(settings.kafka, sender=sender, prefix=settings.prefix, security=security)
        else:
            publisher = Publisher.http(settings.ingest_url, token=_token(settings, token, sender, PUBLISH))
        async with publisher as p:
            return await p.publish(
                recipient=recipient,
                type=type,
                message=message,
                priority=priority,
                data=content,
                deliver_at=due,
                idempotency_key=idempotency_key,
            )

    try:
        typer.echo(asyncio.run(run()))
    except ClientError as error:
        _fail(error)


def tail(
    user: Annotated[str, typer.Argument(help="The user whose notifications are shown.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="End after this many notifications.", show_default=False)
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, as is done when the output is not a terminal.")
    ] = False,
    token: Token = None,
) -> None:
    """Show a user's pending notifications, then new ones as they arrive; they count as delivered. Ctrl-C ends this."""
    from clarion.client import ClientError, State, Subscriber

    settings = _settings(token)
    as_json = json or not sys.stdout.isatty()
    out, notes = Console(highlight=False), Console(stderr=True, highlight=False)

    def say(state: State) -> None:
        if not as_json:
            notes.print(f"· {state}", style="dim")

    async def run() -> None:
        left = count
        subscriber = Subscriber(
            settings.gateway_urls, get_token=lambda: _token(settings, token, user, SUBSCRIBE), on_state=say
        )
        async with subscriber as s:
            async for item in s:
                if as_json:
                    sys.stdout.buffer.write(msgspec.json.encode(item) + b"\n")
                    sys.stdout.buffer.flush()
                else:
                    out.print(_line(item), soft_wrap=True)
                left = None if left is None else left - 1
                if left == 0:
                    await s.handled()
                    return

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        pass  # Ctrl-C is how a user ends this command
    except BrokenPipeError:
        # the reader of the output is gone, as in `tail | head`; the interpreter must not flush into the pipe again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ClientError as error:
        _fail(error)


def _line(item: "Received") -> Text:
    return Text.assemble(
        (f"{(item.available_at or item.created_at)[11:23]}  ", "dim"),
        (f"{item.lane:<7}", _COLOURS[item.lane]),
        (f"{item.type:<20.20} ", "cyan"),
        (f"{_printable(item.sender):<16.16} ", "magenta"),
        _printable(item.message.replace("\n", " ⏎ ")),
    )


def _printable(text: str) -> str:
    """Return a text without what a terminal does not print: somebody else wrote it, and may send escape sequences."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _settings(token: str | None) -> Settings:
    """Read the settings. With a token, no secret or key set is needed, not even in production."""
    return Settings.from_env({**os.environ, "CLARION_ENV": "dev"} if token else os.environ)


def _token(settings: Settings, token: str | None, sub: str, scope: str) -> str:
    if token:
        return token
    if not settings.jwt_secret:
        raise SettingsError(
            "CLARION_TOKEN must be set, or CLARION_JWT_SECRET, with which a token is signed: see `clarion token`"
        )
    return mint(settings, sub=sub, scope=scope, ttl_s=_TOKEN_TTL_S)


def _json_object(text: str | None) -> dict[str, Any]:
    try:
        return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"--data is not a JSON object: {error}") from error


def _fail(error: Exception) -> None:
    Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
