"""The arm of stock Faust: an agent on `take()`, as its documentation shows it, with settings that lose no speed."""

import tempfile
from typing import Any

import faust

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes
from clarion.store.driver import database
from tests.bench.stream.plain import LANE, store_and_emit


class Worked:
    """An event as `store_and_emit` reads records."""

    __slots__ = ("offset", "value")

    def __init__(self, event: Any) -> None:
        self.offset: int = event.message.offset
        self.value: bytes = event.message.value


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(folder)


def run(folder: str) -> None:
    """A worker until it is told to stop, whose tables, of which there are none, would be in `folder`."""
    settings = Settings.from_env()
    names = Names(settings.prefix)
    app: Any = faust.App(
        names.group("stock"),
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )
    own: dict[str, Any] = {}

    async def work(stream: Any) -> None:
        connection = own["database"] = database.connect(settings)
        await indexes.ensure(connection)
        producer = own["producer"] = clients.producer(settings)
        await producer.start()
        async for events in stream.take_events(500, within=0.1):
            await store_and_emit([Worked(event) for event in events], connection, producer, names)

    app.agent(app.topic(names.notifications(LANE), value_serializer="raw"))(work)
    app.finalize()
    faust.Worker(app, loglevel="ERROR", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
