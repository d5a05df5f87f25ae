"""Run the observer: its looks, each in a task of its own, and its health."""

import asyncio
from collections.abc import Sequence
from typing import Final

from clarion.broker import clients
from clarion.broker.lag.group_lags import GroupLags
from clarion.broker.probe import ask_brokers
from clarion.contracts.topics import Names
from clarion.process import Process, within
from clarion.store import mailboxes, notifications
from clarion.store.dead_letters import letters
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.telemetry import metrics
from clarion.telemetry.health import Unanswered, watch
from services.stream.observer.dead_letters import dead_letters_look
from services.stream.observer.lag import lag_look
from services.stream.observer.ledger import ledger_look
from services.stream.observer.looks import Look
from services.stream.observer.mailboxes import mailboxes_look
from services.stream.observer.pending import pending_look
from services.stream.observer.servers import clocks_look, disk_look

_STOP_S: Final = 5.0


async def run_observer(process: Process) -> None:
    """Look at Kafka and MongoDB until the process is told to stop.

    It starts without either and needs no other process. Several observers export the same. It writes nothing but how
    far the ledger's look has read.
    """
    metrics.OBSERVER.export()
    settings, health = process.settings, process.health
    stored, lags = database.connect(settings), GroupLags(settings)
    looks = _looks(process, stored, lags)
    health.troubles += [look.trouble for look in looks]
    health.figures.append(lambda: {"looks": {look.name: look.failure or "ok" for look in looks}})

    async def ask_kafka() -> None:
        try:
            client = await lags.client()
        except clients.SEND_ERRORS as error:
            raise Unanswered("no broker answers") from error
        await ask_brokers(client)

    beside = [
        watch(health.dependency("kafka"), ask_kafka),
        watch(health.dependency("mongodb"), lambda: database.probe(stored)),
        *(look.keep() for look in looks),
    ]
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one) for one in beside]
            health.started = True
            await process.stopping.wait()
            for task in running:
                task.cancel()
    finally:
        await within(_STOP_S, lags.close(), "kafka")
        database.close(stored)


def _looks(process: Process, stored: Database, lags: GroupLags) -> Sequence[Look]:
    """Return everything that the observer looks at. Another look is added here, and its name to `labels.LOOK`."""
    settings, names = process.settings, Names(process.settings.prefix)
    return [
        lag_look(lags, names),
        pending_look(notifications.collection(stored)),
        mailboxes_look(mailboxes.collection(stored), settings.partitions_deliveries),
        dead_letters_look(letters.collection(stored)),
        ledger_look(settings, stored),
        clocks_look(lags, names, stored),
        disk_look(stored),
    ]
