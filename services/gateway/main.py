"""The gateway's process: what runs in it, in which order it starts, and how it leaves."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from starlette.routing import BaseRoute

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.contracts.records.notification import Notification, encode
from clarion.contracts.topics import Names
from clarion.process import Process, unless_stopping, within
from clarion.resilience.gcra import RateLimit
from clarion.resilience.retry import retry
from clarion.security.address_counter import AddressCounter
from clarion.security.unread import OF_ADDRESS, Readers
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from clarion.store import deployment, indexes, mailboxes, notifications, revocations, sessions, topics
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database
from clarion.store.mailboxes import Lease
from clarion.telemetry import metrics
from clarion.telemetry.descriptors import Descriptors
from clarion.telemetry.health import watch
from clarion.web.admin import Server, serve
from clarion.web.budget import Budget
from clarion.web.revocations import AsFarAsKnown, Revocations, follow
from services.gateway.delivery.safety_net import SafetyNet
from services.gateway.http.app import make_app
from services.gateway.http.demo_page import assets_path, page_routes
from services.gateway.http.disconnect import Disconnect, disconnect_routes
from services.gateway.http.inbox import Inbox
from services.gateway.http.inbox_limits import InboxLimits
from services.gateway.http.inbox_routes import inbox_routes
from services.gateway.http.sse_acks import SseAcks, stream_ack_routes
from services.gateway.hub import Hub, make
from services.gateway.mailbox import lease
from services.gateway.mailbox.abandoned import AbandonedMailboxes
from services.gateway.mailbox.connect_lookup import look_up
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.mailbox.lane_ends import LaneEnds
from services.gateway.mailbox.lease import LeaseLost
from services.gateway.mailbox.reader import MailboxReader
from services.gateway.mailbox.session_writer import SessionWriter
from services.gateway.receipts.sender import SEND_S, ReceiptSender
from services.gateway.router import Router
from services.gateway.transport.base import TransportContext
from services.gateway.transport.sse_http import SseHttp
from services.gateway.transport.websocket import WebSocketTransport

log = structlog.get_logger()

PORT: Final = 8081
LEAVE_WITHIN_S: Final = 4.0  # each step after clients are sent away
FLUSH_WITHIN_S: Final = SEND_S + 3.0  # a batch that Kafka does not take, and then the rest directly
DEV_USERS: Final = ("Codertocat", "octocat", "hacktocat", "ann", "bob")


async def main(process: Process) -> None:
    settings, health = process.settings, process.health
    stored, reads, producer = database.connect(settings), database.connect_reads(settings), clients.producer(settings)
    names = Names(settings.prefix)
    documents = notifications.collection(stored)
    kafka = health.dependency("kafka")
    receipt_sender = ReceiptSender(producer, names, documents, kafka)
    check = Revocations(Verifier(settings), revocations.collection(stored))
    ends = LaneEnds(settings, topics.collection(stored))
    held = HeldMailbox()
    hub = make(settings, check, documents, notifications.waiting(reads), receipt_sender, ends.beyond, held)
    router = Router(hub, check)
    good_for_s = settings.token_life_s + 2 * settings.token_leeway_s  # issued ahead of our clock, and ended behind it
    disconnect = Disconnect(router.revoked, stored, producer, kafka, names, good_for_s)
    inbox = Inbox(documents, health.dependency("mongodb"), kafka, producer, names, receipt_sender)
    # a gateway without a mailbox is not ready, unless what it needs for one is down: then it must answer with 503
    health.blockers.append(lambda: "" if held.reader or health.down() else "no mailbox")
    health.troubles.append(producer.refused)
    health.troubles.append(held.waiting)
    health.figures.append(lambda: _figures(hub))
    files = Descriptors()
    health.troubles.append(files.shortage)
    async with asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(
                watch(health.dependency("mongodb"), lambda: database.probe(stored)), name="watch mongodb"
            ),
            tasks.create_task(
                _serve(settings, hub, check, inbox, disconnect_routes(check, disconnect), files), name="http"
            ),
            tasks.create_task(files.watch(), name="descriptors"),
            tasks.create_task(hub.heartbeats.run(), name="heartbeats"),
            tasks.create_task(hub.each_second(), name="each second"),
            tasks.create_task(hub.catch_up.feed(), name="catch-up"),
            *(tasks.create_task(hub.catch_up.read(), name="catch-up reads") for _ in range(settings.replay_reads)),
        ]
        try:
            await unless_stopping(process, retry(lambda: clients.start(producer), "kafka", *clients.SEND_ERRORS))
            started += [
                tasks.create_task(watch(kafka, lambda: clients.probe(producer)), name="watch kafka"),
                tasks.create_task(receipt_sender.run(), name="outbox"),
            ]
            await unless_stopping(process, retry(lambda: indexes.ensure(stored), "mongodb", *database.TRANSIENT))
            of_the_store = deployment.collection(stored)
            deployment_id = await unless_stopping(
                process, retry(lambda: deployment.identify(of_the_store), "mongodb", *database.TRANSIENT)
            )
            looked = times.now()
            await unless_stopping(process, retry(check.load, "mongodb", *database.TRANSIENT))
            started.append(tasks.create_task(follow(check, router.revoked, looked), name="revocations"))
            await _lease_after_lease(process, router, stored, producer, names, deployment_id)
            await within(FLUSH_WITHIN_S, receipt_sender.flush(), "receipts")
        finally:
            for task in started:
                task.cancel()
            await within(LEAVE_WITHIN_S, producer.stop(), "producer")
            database.close(stored)
            await within(LEAVE_WITHIN_S, database.close_reads(reads), "reads")


async def _lease_after_lease(
    process: Process, router: Router, stored: Database, producer: AIOKafkaProducer, names: Names, deployment_id: str
) -> None:
    """Serve one mailbox after another, until told to stop: a lost lease closes all clients and takes a new one."""
    owner = f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}"
    leases = mailboxes.collection(stored)
    while not process.stopping.is_set():
        held = await unless_stopping(process, lease.acquire(leases, process.settings.partitions_deliveries, owner))
        try:
            async with _serving(process, router, stored, producer, names, held, deployment_id):
                process.health.started = True
                await process.stopping.wait()
                await _leave(process, router.hub, stored, held)
        except* LeaseLost as lost:
            # nobody can connect any more: a client that did would be in nobody's sessions
            log.warning("lease lost: closing everybody", reason=str(lost.exceptions[0]))
            await router.hub.close_all("mailbox moved", within_s=1)
        finally:
            metrics.mailbox_epoch.set(0)


@asynccontextmanager
async def _serving(
    process: Process,
    router: Router,
    stored: Database,
    producer: AIOKafkaProducer,
    names: Names,
    held: Lease,
    deployment_id: str,
) -> AsyncGenerator[None]:
    """Everything that lives as long as one lease. Positions are known before anybody may connect."""
    taken_at, hub = time.monotonic(), router.hub
    mailbox = MailboxReader(held, names, router.deliver, router.behind)
    session_writer = SessionWriter(sessions.collection(stored), held, partial(look_up, stored))
    net = SafetyNet(
        process.settings,
        notifications.collection(stored),
        topics.collection(stored),
        hub.rooms,
        hub.receipt_sender,
        mailbox.caught_up,
    )
    abandoned = AbandonedMailboxes(held, process.settings.partitions_deliveries, stored, producer, names)
    async with AsyncExitStack() as leaving:
        consumers = await unless_stopping(
            process, leaving.enter_async_context(mailbox.positioned(process.settings, producer))
        )
        await unless_stopping(process, lease.confirm(mailboxes.collection(stored), held, taken_at))
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(lease.keep(mailboxes.collection(stored), held), name="lease"),
                tasks.create_task(session_writer.run(), name="sessions"),
                *(tasks.create_task(mailbox.read(consumer), name="mailbox") for consumer in consumers),
                tasks.create_task(net.run(), name="safety net"),
                tasks.create_task(abandoned.run(), name="abandoned mailboxes"),
            ]
            # not waited for: clients may come already, and without MongoDB they are still to be sent away at the end
            running.append(tasks.create_task(_sweep(session_writer.collection, held), name="sweep"))
            log.info("serving", mailbox=held.mailbox, epoch=held.epoch)
            with hub.held.by(mailbox, session_writer, deployment_id):
                yield
            for task in running:
                task.cancel()


async def _sweep(collection: Collection, held: Lease) -> None:
    """Remove the sessions of those who held the mailbox before."""
    swept = await retry(lambda: sessions.sweep(collection, held.mailbox, held.epoch), "mongodb", *database.TRANSIENT)
    log.info("sessions swept", mailbox=held.mailbox, epoch=held.epoch, swept=swept)


async def _leave(process: Process, hub: Hub, stored: Database, held: Lease) -> None:
    """Not ready any more: send clients away at a pace, say that nobody is here, give the mailbox back."""
    hub.draining = True
    log.info("leaving", connections=len(hub))
    await hub.close_all("restart", within_s=process.settings.drain_s)

    async def put_away() -> None:
        if hub.held.session_writer is not None:
            await hub.held.session_writer.settled()  # or a write still under way would come after the sweep
        await sessions.sweep(sessions.collection(stored), held.mailbox, held.epoch + 1)
        await mailboxes.release(mailboxes.collection(stored), held)

    await within(LEAVE_WITHIN_S, put_away(), "sessions and lease")


async def _serve(
    settings: Settings,
    hub: Hub,
    check: Revocations,
    inbox: Inbox,
    routes: Sequence[BaseRoute],
    files: Descriptors,
) -> None:
    async def publish(user: str) -> None:
        try:
            await clients.send_all(inbox.producer, _one_of_each(inbox.names, user))
        except KafkaError as error:
            raise OSError("Kafka does not answer") from error

    budget = Budget()
    per_s = settings.frames_per_s
    acks = SseAcks(
        hub, inbox.producer, inbox.kafka, inbox.names, settings.partitions_deliveries, RateLimit(per_s, per_s)
    )
    stream_routes = stream_ack_routes(AsFarAsKnown(check), acks, budget)
    shares = InboxLimits(per_s, settings.trusted_networks, by_address=settings.connections_per_ip > 0)
    page = page_routes(assets_path(), settings, publish, DEV_USERS, budget)
    app = make_app(settings, [*inbox_routes(check, inbox, budget, shares), *stream_routes, *routes, *page])

    addresses = AddressCounter(settings.connections_per_ip)
    of_address = OF_ADDRESS if settings.connections_per_ip else 0  # as sockets: 0 is an address that all have
    unread = Readers(of_address, metrics.answers_reset.inc)
    context = TransportContext(hub, settings.origin_list, settings.trusted_networks)

    def new_socket(**kwargs: Any) -> WebSocketTransport:
        return WebSocketTransport(context, **kwargs)

    def new_http(**kwargs: Any) -> SseHttp:
        return SseHttp(addresses=addresses, context=context, has_room=files.has_room, unread=unread, **kwargs)

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port or PORT,
        http=new_http,  # pyright: ignore[reportArgumentType] - uvicorn calls both like the classes it expects
        ws=new_socket,  # pyright: ignore[reportArgumentType]
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    await serve(config, server_class=Server)


def _one_of_each(names: Names, user: str) -> list[dict[str, Any]]:
    """For the page's button, in development."""
    return [
        {
            "topic": names.notifications(lane),
            "key": user.encode(),
            "value": encode(
                Notification(
                    id=new_id(),
                    type="demo.hello",
                    message=f"A notification of priority {lane}",
                    recipient=user,
                    sender="demo",
                    priority=lane,
                    created_at=times.now(),
                )
            ),
        }
        for lane in LANES
    ]


def _figures(hub: Hub) -> dict[str, object]:
    held = hub.held.reader.lease if hub.held.reader else None
    return {
        "connections": len(hub),
        "rooms": len(hub.rooms),
        "catching_up": len(hub.catch_up),
        "receipts_buffered": len(hub.receipt_sender),
        "mailbox": held.mailbox if held else None,
        "epoch": held.epoch if held else None,
    }
