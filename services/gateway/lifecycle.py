"""Serves one mailbox lease after another: what runs as long as a lease, and how the gateway gives it up."""

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.contracts.api.close_codes import Close
from clarion.contracts.ids import new_id
from clarion.contracts.topics import Names
from clarion.process import Process, unless_stopping, within
from clarion.resilience.retry import retry
from clarion.store import mailboxes, notifications, sessions, topics
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database
from clarion.store.mailboxes import Lease
from clarion.telemetry import metrics
from services.gateway.client.connection import MAILBOX_LOST, RETRY_MS, STOPPING
from services.gateway.delivery.safety_net import SafetyNet
from services.gateway.hub import Hub
from services.gateway.mailbox import lease
from services.gateway.mailbox.abandoned import AbandonedMailboxes
from services.gateway.mailbox.connect_lookup import look_up
from services.gateway.mailbox.lease import LeaseLost
from services.gateway.mailbox.reader import MailboxReader
from services.gateway.mailbox.session_writer import SessionWriter
from services.gateway.router import Router

log = structlog.get_logger()

SENT_AWAY_EVERY_S: Final = 0.02  # a connection is closed at least this often
LEAVE_WITHIN_S: Final = 4.0  # for each step of the shutdown after clients are sent away


async def serve_leases(
    process: Process, router: Router, stored: Database, producer: AIOKafkaProducer, names: Names, deployment_id: str
) -> None:
    """Serve one mailbox after another, until the process is told to stop.

    A lost lease closes all clients, and the gateway takes a new lease (D-owner-closes).
    """
    owner = f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}"
    leases = mailboxes.collection(stored)
    while not process.stopping.is_set():
        own_lease = await unless_stopping(process, lease.acquire(leases, process.settings.partitions_deliveries, owner))
        try:
            async with _serving(process, router, stored, producer, names, own_lease, deployment_id):
                process.health.started = True
                await process.stopping.wait()
                await _leave(process, router.hub, stored, own_lease)
        except* LeaseLost as lost:
            # the gateway holds no mailbox by now, so nobody can connect: such a client would have no session
            log.warning(
                "the lease of the mailbox is lost, and all connections are closed", reason=str(lost.exceptions[0])
            )
            await _close_all(router.hub, MAILBOX_LOST, within_s=1)
        finally:
            metrics.mailbox_epoch.set(0)


@asynccontextmanager
async def _serving(
    process: Process,
    router: Router,
    stored: Database,
    producer: AIOKafkaProducer,
    names: Names,
    own_lease: Lease,
    deployment_id: str,
) -> AsyncGenerator[None]:
    """Run everything that lives as long as one lease, and yield while clients may connect.

    The positions in the mailbox are known before anybody connects (D-position-first).
    """
    taken_at, hub = time.monotonic(), router.hub
    mailbox = MailboxReader(own_lease, names, router.deliver, router.behind, router.hub.inbound.handled)
    session_writer = SessionWriter(sessions.collection(stored), own_lease, partial(look_up, stored))
    net = SafetyNet(
        process.settings,
        notifications.collection(stored),
        topics.collection(stored),
        hub.rooms,
        hub.receipt_sender,
        mailbox.caught_up,
    )
    abandoned = AbandonedMailboxes(own_lease, process.settings.partitions_deliveries, stored, producer, names)
    async with AsyncExitStack() as leaving:
        consumers = await unless_stopping(
            process, leaving.enter_async_context(mailbox.positioned(process.settings, producer))
        )
        await unless_stopping(process, lease.confirm(mailboxes.collection(stored), own_lease, taken_at))
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(lease.keep(mailboxes.collection(stored), own_lease), name="lease"),
                tasks.create_task(session_writer.run(), name="sessions"),
                *(tasks.create_task(mailbox.read(consumer), name="mailbox") for consumer in consumers),
                tasks.create_task(net.run(), name="safety net"),
                tasks.create_task(abandoned.run(), name="abandoned mailboxes"),
            ]
            # The sweep is not awaited: clients may connect meanwhile, and while MongoDB is away the gateway must still
            # be able to send them away at the end.
            running.append(tasks.create_task(_sweep(session_writer.collection, own_lease), name="sweep"))
            log.info("the gateway serves clients", mailbox=own_lease.mailbox, epoch=own_lease.epoch)
            with hub.held.by(mailbox, session_writer, deployment_id):
                yield
            for task in running:
                task.cancel()


async def _sweep(collection: Collection, own_lease: Lease) -> None:
    """Remove the sessions of the mailbox's earlier owners."""
    swept = await retry(
        lambda: sessions.sweep(collection, own_lease.mailbox, own_lease.epoch), "mongodb", *database.TRANSIENT
    )
    log.info(
        "the sessions of earlier owners were removed", mailbox=own_lease.mailbox, epoch=own_lease.epoch, swept=swept
    )


async def _leave(process: Process, hub: Hub, stored: Database, own_lease: Lease) -> None:
    """Send clients away at a pace, remove this gateway's sessions, and release the lease.

    From its first step on the gateway refuses new clients.
    """
    hub.draining = True
    log.info("the gateway closes its connections", connections=len(hub))
    await _close_all(hub, STOPPING, within_s=process.settings.drain_s)

    async def put_away() -> None:
        if hub.held.session_writer is not None:
            await hub.held.session_writer.settled()  # else a write that is under way would come after the sweep
        await sessions.sweep(sessions.collection(stored), own_lease.mailbox, own_lease.epoch + 1)
        await mailboxes.release(mailboxes.collection(stored), own_lease)

    await within(LEAVE_WITHIN_S, put_away(), "sessions and lease")


async def _close_all(hub: Hub, reason: str, within_s: float) -> None:
    """Close every connection with 1012, spread over at most `within_s` seconds.

    All at once, clients would also come back all at once. When there are few, this ends sooner.
    """
    clients = list(hub)
    random.shuffle(clients)
    pause = min(within_s / max(len(clients), 1), SENT_AWAY_EVERY_S)
    began = time.monotonic()
    for number, connection in enumerate(clients, 1):
        connection.close(Close.RESTART, reason, retry_ms=random.randint(0, RETRY_MS))  # noqa: S311 - spreads load
        await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))
