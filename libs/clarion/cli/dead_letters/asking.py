"""Runs what `clarion dlq` does: connects to MongoDB and Kafka, says what went wrong, and prints what was found."""

import asyncio
import getpass
import logging
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import typer

from clarion.cli.topic_commands import say_red
from clarion.contracts import limits
from clarion.contracts.records.notification import Invalid
from clarion.contracts.topics import Names
from clarion.settings import Settings

if TYPE_CHECKING:
    from clarion.operating.audit_log import Operator

T = TypeVar("T")

_STOP_S: Final = 5.0


def run_as_operator(call: "Callable[[Operator], Coroutine[Any, Any, T]]") -> T:
    """Run `call` for the user of this shell, and return its result. Say in red what went wrong, and exit with 1."""
    from clarion.broker.clients import SEND_ERRORS
    from clarion.operating.dead_letters.editing import Busy
    from clarion.operating.dead_letters.finding import UnknownLetter
    from clarion.store.driver import database

    settings = Settings.from_env(knows_users=False)
    _log_to_stderr()
    try:
        return asyncio.run(_connected(settings, call))
    except Invalid as error:
        raise typer.BadParameter(error.detail) from error
    except (UnknownLetter, Busy) as error:
        say_red(str(error.args[0]))
    except database.TRANSIENT as error:
        say_red(f"MongoDB (CLARION_MONGODB) did not answer: {error}")
    except SEND_ERRORS as error:
        say_red(f"Kafka at {settings.kafka} (CLARION_KAFKA) refused or did not answer: {error}")
    raise typer.Exit(1)


async def _connected(settings: Settings, call: "Callable[[Operator], Coroutine[Any, Any, T]]") -> T:
    from clarion.operating.audit_log import CLI, Operator
    from clarion.store.driver import database

    stored = database.connect(settings)
    try:
        return await call(Operator(stored, Names(settings.prefix), who(), CLI))
    finally:
        database.close(stored)


@asynccontextmanager
async def producing() -> AsyncGenerator[Any]:
    """Yield a started producer. Raises one of `SEND_ERRORS`."""
    from clarion.broker import clients

    producer = clients.producer(Settings.from_env(knows_users=False))
    try:
        await clients.start(producer)
        yield producer
    finally:
        with suppress(TimeoutError):  # while Kafka is away, what was sent would be tried again without a limit
            async with asyncio.timeout(_STOP_S):
                await producer.stop()


def who() -> str:
    """Return whom the audit log names: the user of this shell, and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[: limits.NAME_CHARS]


def print_found(found: Any, as_json: bool, table: Callable[[], Any]) -> None:
    """Print what was found, as JSON or as a table."""
    if as_json:
        print_json(found)
        return
    from rich.console import Console

    Console(highlight=False).print(table())


def print_json(found: Any) -> None:
    """Print a line of JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.stdout.buffer.flush()


def _log_to_stderr() -> None:
    """Have warnings of what the services share go to standard error, and nothing less than that anywhere."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
