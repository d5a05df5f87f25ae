"""Routes what the mailbox brings to connections: deliveries, and what operators and other gateways say."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from clarion.contracts import order, times
from clarion.contracts.api.frames import ServerSync
from clarion.contracts.records.deliveries import Control, Delivery, Items, Sync, Unstored
from clarion.web.revocations import Revocations
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START
from services.gateway.delivery import latency
from services.gateway.hub import Hub

CLOCKS_APART: Final = timedelta(minutes=1)  # between gateways; a moment further ahead shuts no user out for longer


@dataclass(slots=True)
class Router:
    """Delivers the records of the mailbox to the connections of `hub`."""

    hub: Hub
    revocations: Revocations

    def deliver(self, record: Delivery) -> Iterator[None]:
        """Deliver one record of the mailbox; yield after the items of every few users, so that other tasks may run.

        A fence is ignored here, since `MailboxReader` has handled it.
        """
        hub = self.hub
        match record:
            case Items():
                began_ns = time.time_ns() if record.traces else 0
                hub.catch_up.reads.delivered(time.monotonic())
                pairs = [
                    (a.recipient, OutgoingItem(a.id, a.lane, order.pack(*a.ord), bytes(a.body))) for a in record.items
                ]
                for behind in hub.rooms.push(pairs, hub.held.caught_up()):
                    for connection in behind:
                        hub.catch_up.want(connection)
                    yield
                latency.observe(record.items)
                if record.traces:
                    hub.sampled.delivered(record.items, record.traces, hub.rooms, began_ns)
            case Unstored():
                early = [(e.recipient, OutgoingItem(e.id, e.lane, START, bytes(e.body), False)) for e in record.items]
                hub.rooms.push_early(early, hub.held.caught_up())
                if record.traces:
                    hub.sampled.delivered(record.items, record.traces, hub.rooms, time.time_ns())
            case Sync():
                hub.rooms.sync(record.recipient, ServerSync(record.op, record.ids, record.unread))
            case Control():
                self._control(record)
            case _:
                pass

    def _control(self, record: Control) -> None:
        """Do what an operator or another gateway tells this gateway."""
        if record.op == "disconnect" and record.before is not None:
            self.revoked(record.user, min(record.before, times.now() + CLOCKS_APART))
        elif record.op == "ack" and record.session is not None:
            self.hub.on_posted_ack(record.user, record.session, record.tag)

    def revoked(self, user: str, tokens_from: datetime) -> None:
        """Refuse the tokens of `user` issued before `tokens_from`, and end the connections that came with one.

        Such a connection ends in the second after `tokens_from` and not sooner: its client comes back with a new token,
        and a token that was issued in the same second would be refused as well.
        """
        self.revocations.note(user, tokens_from)
        for connection in self.hub.rooms.of(user):
            claims = connection.claims
            if claims is not None and self.revocations.refuses(claims):
                connection.claims = replace(claims, expires=min(claims.expires, tokens_from.timestamp()))
                self.hub.heartbeats.renew(connection)

    def behind(self) -> None:
        """Have every connection read the store, since records of the mailbox may have been missed."""
        for connection in list(self.hub.rooms):
            connection.feed.fall_behind()
            self.hub.catch_up.want(connection)
