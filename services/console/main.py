"""Run the console's process: it listens at once, whether or not its servers are there, and answers what it can."""

import asyncio
from functools import partial
from typing import Any, Final

import uvicorn
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.broker.probe import probe
from clarion.contracts.limits import KIB
from clarion.contracts.topics import Names
from clarion.operating.processes import ask_all
from clarion.process import Process, Stopped, unless_stopping, within
from clarion.resilience.retry import retry
from clarion.security.guarded_http import GuardedHttp
from clarion.security.unread import OF_ADDRESS, Readers
from clarion.security.verifier import Verifier
from clarion.store import indexes, revocations
from clarion.store.driver import database
from clarion.telemetry import metrics
from clarion.telemetry.descriptors import Descriptors
from clarion.telemetry.health import Dependency, watch
from clarion.web.admin import StartNoted, serve
from clarion.web.budget import Budget
from clarion.web.revocations import AsFarAsKnown, Revocations, learn
from services.console.desk import Desk
from services.console.documents import Documents, sources
from services.console.http.app import make_app
from services.console.live import Live

PORT: Final = 8082
DRAIN_S: Final = 20
STOP_S: Final = 5.0
# There are few operators, and a page of the console asks for a few things at once.
_MAX_BYTES: Final = 16 * 1024 * KIB
_MAX_REQUESTS: Final = 64


async def main(process: Process) -> None:
    """Serve until the process is told to stop, finish the requests in flight, then end the producer."""
    settings, health, budget = process.settings, process.health, Budget(_MAX_BYTES, _MAX_REQUESTS)
    stored, mongodb, kafka = database.connect(settings), health.dependency("mongodb"), health.dependency("kafka")
    producer = clients.producer(settings, on_renewed=metrics.count_renewal)
    check = Revocations(Verifier(settings), revocations.collection(stored))
    live = Live(partial(ask_all, settings))
    documents = Documents(sources(settings))
    desk = Desk(settings, stored, Names(settings.prefix), mongodb, kafka, producer, budget, live, documents)
    files, unread = Descriptors(), Readers(OF_ADDRESS, metrics.answers_reset.inc)
    health.troubles += [producer.refused, files.shortage]
    health.figures.append(lambda: {"requests": budget.requests, "held_bytes": budget.held, "viewers": live.viewers})

    def new_http(**kwargs: Any) -> GuardedHttp:
        return GuardedHttp(has_room=files.has_room, trusted=settings.trusted_networks, unread=unread, **kwargs)

    config = uvicorn.Config(
        make_app(check, AsFarAsKnown(check), desk),
        host=settings.host,
        port=settings.port or PORT,
        http=new_http,  # pyright: ignore[reportArgumentType] - uvicorn calls it like the class it expects
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    async with asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(watch(mongodb, partial(database.probe, stored)), name="watch mongodb"),
            tasks.create_task(learn(check), name="revocations"),
            tasks.create_task(live.run(), name="live"),
            tasks.create_task(files.watch(), name="descriptors"),
            tasks.create_task(retry(partial(indexes.ensure, stored), "mongodb", *database.TRANSIENT), name="indexes"),
        ]
        serving = tasks.create_task(serve(config, server_class=StartNoted, health=health), name="server")
        try:
            await unless_stopping(process, retry(partial(_start, producer, kafka), "kafka", *clients.SEND_ERRORS))
            started.append(tasks.create_task(watch(kafka, partial(probe, producer)), name="watch kafka"))
            await process.stopping.wait()
        except Stopped:
            pass  # Kafka was away all the time
        finally:
            live.end()
            serving.cancel()
            await asyncio.wait([serving])
            for task in started:
                task.cancel()
            await within(STOP_S, producer.stop(), "producer")
            database.close(stored)


async def _start(producer: AIOKafkaProducer, kafka: Dependency) -> None:
    try:
        await clients.start(producer)
    except clients.SEND_ERRORS as error:
        kafka.seen("no broker can be reached", cause=error)
        raise
