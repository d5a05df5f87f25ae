"""Run the ingest process: it listens at once, whether or not its servers are there, and answers what it can."""

import asyncio
from functools import partial
from typing import Any, Final

import uvicorn

from clarion.process import Process
from clarion.security.guarded_http import GuardedHttp
from clarion.security.unread import OF_ADDRESS, Readers
from clarion.security.verifier import Verifier
from clarion.store import revocations
from clarion.store.driver import database
from clarion.telemetry import metrics
from clarion.telemetry.descriptors import Descriptors
from clarion.telemetry.health import watch
from clarion.telemetry.metrics.labels import INGEST_LIMITS
from clarion.web.admin import StartNoted, serve
from clarion.web.budget import Budget
from clarion.web.revocations import AsFarAsKnown, Revocations, learn
from services.ingest.lookup import find
from services.ingest.producer import IngestProducer
from services.ingest.routes import make_app
from services.ingest.sender_limit import SenderLimit
from services.ingest.traces import Traces

PORT: Final = 8080
DRAIN_S: Final = 20


async def main(process: Process) -> None:
    """Serve until the process is told to stop, finish the requests in flight, then flush the producer."""
    metrics.HTTP.export()
    metrics.INGEST.export()
    metrics.LIMITS.export(limit=INGEST_LIMITS)
    settings, health, budget = process.settings, process.health, Budget()
    producer = IngestProducer(settings, health.dependency("kafka"), budget)
    health.troubles.append(producer.refused)
    stored, mongodb = database.connect(settings), health.dependency("mongodb")
    known = Revocations(Verifier(settings), revocations.collection(stored))
    limit = SenderLimit(settings.sender_rate, settings.sender_burst)
    traces = Traces(settings.trace_ratio, settings.traces_per_s)
    health.figures.append(lambda: {"requests": budget.requests, "held_bytes": budget.held})
    files, unread = Descriptors(), Readers(OF_ADDRESS, metrics.answers_reset.inc)
    health.troubles.append(files.shortage)

    def new_http(**kwargs: Any) -> GuardedHttp:
        return GuardedHttp(has_room=files.has_room, trusted=settings.trusted_networks, unread=unread, **kwargs)

    config = uvicorn.Config(
        make_app(AsFarAsKnown(known), producer, partial(find, stored, mongodb), budget, limit, traces),
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
        accepting = tasks.create_task(producer.run(), name="producer")
        watching = tasks.create_task(watch(mongodb, partial(database.probe, stored)), name="mongodb")
        learning = tasks.create_task(learn(known), name="revocations")
        counting = tasks.create_task(files.watch(), name="descriptors")
        serving = tasks.create_task(serve(config, server_class=StartNoted, health=health), name="server")
        await process.stopping.wait()
        await _ended(serving)
        await _ended(accepting)
        await _ended(watching)
        await _ended(learning)
        await _ended(counting)
    database.close(stored)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has put its work away. If it fails, its task group sees that."""
    task.cancel()
    await asyncio.wait([task])
