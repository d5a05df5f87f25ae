"""Serves clients: uvicorn with the gateway's transports, and all routes."""

from collections.abc import Sequence
from typing import Any, Final

import uvicorn
from aiokafka.errors import KafkaError
from starlette.routing import BaseRoute

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.contracts.records.notification import Notification, encode
from clarion.contracts.topics import Names
from clarion.resilience.gcra import RateLimit
from clarion.security.address_counter import AddressCounter
from clarion.security.unread import OF_ADDRESS, Readers
from clarion.settings import Settings
from clarion.telemetry import metrics
from clarion.telemetry.descriptors import Descriptors
from clarion.web.admin import Server, serve
from clarion.web.budget import Budget
from clarion.web.revocations import AsFarAsKnown, Revocations
from services.gateway.http.app import make_app
from services.gateway.http.demo_page import assets_path, page_routes
from services.gateway.http.inbox import Inbox
from services.gateway.http.inbox_limits import InboxLimits
from services.gateway.http.inbox_routes import inbox_routes
from services.gateway.http.sse_acks import SseAcks, stream_ack_routes
from services.gateway.hub import Hub
from services.gateway.transport.base import TransportContext
from services.gateway.transport.sse_http import SseHttp
from services.gateway.transport.websocket import WebSocketTransport

PORT: Final = 8081
DEV_USERS: Final = ("Codertocat", "octocat", "hacktocat", "ann", "bob")


async def serve_clients(
    settings: Settings,
    hub: Hub,
    check: Revocations,
    inbox: Inbox,
    routes: Sequence[BaseRoute],
    files: Descriptors,
) -> None:
    """Serve sockets, event streams, HTTP routes and the demo page until cancelled.

    `routes` are served beside those made here. `files` says whether file descriptors are left for one more connection.
    """

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
    of_address = OF_ADDRESS if settings.connections_per_ip else 0  # 0: no limit, since all may share an address
    unread = Readers(of_address, metrics.answers_reset.inc)
    context = TransportContext(hub, settings.origin_list, settings.trusted_networks, hub.inbound)

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
    """Return a record for each lane, which the demo page's button publishes in development."""
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
