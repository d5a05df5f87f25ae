"""Runs the gateway's process: what is in it, in which order it starts, and how it ends."""

import asyncio
from collections.abc import Set
from functools import partial
from typing import Final

from clarion.broker import clients
from clarion.broker.probe import probe
from clarion.contracts import times
from clarion.contracts.topics import Names
from clarion.process import Process, unless_stopping, within
from clarion.resilience.retry import retry
from clarion.security.verifier import Verifier
from clarion.store import deployment, indexes, notifications, revocations, topics
from clarion.store.driver import database
from clarion.telemetry import metrics
from clarion.telemetry.descriptors import Descriptors
from clarion.telemetry.health import watch
from clarion.telemetry.metrics.labels import GATEWAY_LIMITS
from clarion.web.revocations import Revocations, follow
from services.gateway.client.connection_state import ConnectionState
from services.gateway.http.disconnect import Disconnect, disconnect_routes
from services.gateway.http.inbox import Inbox
from services.gateway.hub import Hub, make
from services.gateway.lifecycle import LEAVE_WITHIN_S, serve_leases
from services.gateway.mailbox.held import HeldMailbox
from services.gateway.mailbox.lane_ends import LaneEnds
from services.gateway.receipts.sender import SEND_S, ReceiptSender
from services.gateway.router import Router
from services.gateway.server import serve_clients

FLUSH_WITHIN_S: Final = SEND_S + 3.0  # time for a batch that Kafka does not take, and for folding the rest


async def main(process: Process) -> None:
    """Run the gateway until the process is told to stop.

    The server starts first and refuses clients with 503 until a mailbox is leased.
    """
    metrics.HTTP.export()
    metrics.GATEWAY.export()
    metrics.STORE.export()
    metrics.LIMITS.export(limit=GATEWAY_LIMITS)
    settings, health = process.settings, process.health
    stored, reads = database.connect(settings), database.connect_reads(settings)
    producer = clients.producer(settings, on_renewed=metrics.count_renewal)
    names = Names(settings.prefix)
    documents = notifications.collection(stored)
    kafka = health.dependency("kafka")
    receipt_sender = ReceiptSender(producer, names, documents, kafka)
    check = Revocations(Verifier(settings), revocations.collection(stored))
    ends = LaneEnds(settings, topics.collection(stored))
    held = HeldMailbox()
    hub = make(settings, check, documents, notifications.waiting(reads), receipt_sender, ends.beyond, held)
    _export_gauges(hub)
    router = Router(hub, check)
    # one leeway for an issuer whose clock is ahead of ours, and one since a token is accepted so long after it expires
    good_for_s = settings.token_life_s + 2 * settings.token_leeway_s
    disconnect = Disconnect(router.revoked, stored, producer, kafka, names, good_for_s)
    inbox = Inbox(documents, health.dependency("mongodb"), kafka, producer, names, receipt_sender)
    # A gateway without a mailbox is not ready. While Kafka or MongoDB is down it stays ready all the same, since
    # otherwise nobody would answer clients with 503 and Retry-After.
    health.blockers.append(lambda: "" if held.reader or health.down() else "this gateway has no mailbox")
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
                serve_clients(settings, hub, check, inbox, disconnect_routes(check, disconnect), files), name="http"
            ),
            tasks.create_task(files.watch(), name="descriptors"),
            tasks.create_task(hub.heartbeats.run(), name="heartbeats"),
            tasks.create_task(hub.each_second(), name="each second"),
            tasks.create_task(hub.inbound.run(), name="inbound"),
            tasks.create_task(hub.catch_up.feed(), name="catch-up"),
            *(tasks.create_task(hub.catch_up.read(), name="catch-up reads") for _ in range(settings.replay_reads)),
        ]
        try:
            await unless_stopping(process, retry(lambda: clients.start(producer), "kafka", *clients.SEND_ERRORS))
            started += [
                tasks.create_task(watch(kafka, lambda: probe(producer)), name="watch kafka"),
                tasks.create_task(receipt_sender.run(), name="receipts"),
            ]
            await unless_stopping(process, retry(lambda: indexes.ensure(stored), "mongodb", *database.TRANSIENT))
            of_the_store = deployment.collection(stored)
            deployment_id = await unless_stopping(
                process, retry(lambda: deployment.identify(of_the_store), "mongodb", *database.TRANSIENT)
            )
            looked = times.now()
            await unless_stopping(process, retry(check.load, "mongodb", *database.TRANSIENT))
            started.append(tasks.create_task(follow(check, router.revoked, looked), name="revocations"))
            await serve_leases(process, router, stored, producer, names, deployment_id)
            await within(FLUSH_WITHIN_S, receipt_sender.flush(), "receipts")
        finally:
            for task in started:
                task.cancel()
            await within(LEAVE_WITHIN_S, producer.stop(), "producer")
            database.close(stored)
            await within(LEAVE_WITHIN_S, database.close_reads(reads), "reads")


def _figures(hub: Hub) -> dict[str, object]:
    """Return the figures of this gateway for `/health/metrics`."""
    lease = hub.held.reader.lease if hub.held.reader else None
    return {
        "connections": len(hub),
        "rooms": len(hub.rooms),
        "catching_up": len(hub.catch_up),
        "receipts_buffered": len(hub.receipt_sender),
        "mailbox": lease.mailbox if lease else None,
        "epoch": lease.epoch if lease else None,
    }


def _export_gauges(hub: Hub) -> None:
    """Have Prometheus told how many connections there are, by state, and how many catch up."""

    def count(states: Set[ConnectionState]) -> int:
        return sum(connection.state in states for connection in hub)

    for name, states in _STATES.items():
        metrics.connections.labels(name).set_function(partial(count, states))
    metrics.catching_up_connections.set_function(hub.catch_up.__len__)


_STATES: Final = {
    "opening": frozenset(state for state in ConnectionState if state < ConnectionState.PRESENT),
    "open": frozenset({ConnectionState.PRESENT}),
    "closing": frozenset({ConnectionState.CLOSING}),
}
