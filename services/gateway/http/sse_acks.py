"""`POST /v1/stream/ack`: tells what the client of an event stream has handled, and that it is still there.

A client's requests may come to any gateway. The session names the mailbox and the epoch of the gateway that has the
stream; another gateway sends the acknowledgement on, as a control record in that mailbox. The stream's own gateway
judges it, so the answer is the same wherever it came, and a client that acknowledges what was never sent is told on its
stream.
"""

import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiokafka import AIOKafkaProducer
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.broker import clients
from clarion.contracts.api.streams import ACK_BYTES, ACK_PATH, StreamAck, mailbox_and_epoch_of
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Control
from clarion.contracts.topics import Names
from clarion.resilience.gcra import RateLimit
from clarion.security.tokens import SUBSCRIBE
from clarion.telemetry import metrics
from clarion.telemetry.health import Dependency
from clarion.web.bodies import json_of
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Refused, Unavailable
from services.gateway.hub import Hub

SENT_ON_WITHIN_S: Final = 5.0  # for Kafka to take an acknowledgement


@dataclass(frozen=True, slots=True)
class SseAcks:
    """Takes acknowledgements. `mailboxes` is how many there are; `rate` limits a user's acknowledgements here."""

    hub: Hub
    producer: AIOKafkaProducer
    kafka: Dependency
    names: Names
    mailboxes: int
    rate: RateLimit

    async def __call__(self, user: str, said: StreamAck) -> None:
        """Handle an acknowledgement here, or send it on to the gateway that has the stream.

        Raises `Refused` when there are too many (429), or when the stream is known not to be the user's (404), and
        `Unavailable` when its gateway cannot be told.
        """
        if wait_s := self.rate.take(user, time.monotonic()):
            metrics.rate_limited.labels("stream_acks").inc()
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"a user may send at most {self.rate.burst} acknowledgements a second: acknowledge only the latest tag",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
        mailbox, epoch = mailbox_and_epoch_of(said.session)
        if mailbox >= self.mailboxes:
            raise _no_stream()
        lease = self.hub.held.reader.lease if self.hub.held.reader else None
        if lease is not None and (lease.mailbox, lease.epoch) == (mailbox, epoch):
            metrics.stream_acks.labels("here").inc()
            if not self.hub.on_posted_ack(user, said.session, said.tag):
                raise _no_stream()
        else:
            metrics.stream_acks.labels("forwarded").inc()
            await self._send_on(mailbox, Control("ack", user, session=said.session, tag=said.tag))

    async def _send_on(self, mailbox: int, record: Control) -> None:
        """Send a control record to another gateway's mailbox. Raises `Unavailable`."""
        value = deliveries.encode(record)
        try:
            if self.kafka.up is False:
                raise TimeoutError("Kafka is down")
            await clients.send_all(
                self.producer,
                [{"topic": self.names.deliveries_urgent, "partition": mailbox, "value": value}],
                within_s=SENT_ON_WITHIN_S,
            )
        except clients.SEND_ERRORS as error:
            raise Unavailable("the stream is at another gateway, which cannot be reached now: try again") from error


def _no_stream() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "there is no such stream: open a new one with `resume`")


def stream_ack_routes(check: TokenCheck, acknowledge: SseAcks, budget: Budget) -> list[Route]:
    """Return the route; `check` verifies the caller's token."""

    async def answer(request: Request) -> Response:
        claims = await caller(request, check, SUBSCRIBE)
        with budget.request():
            said = await json_of(request, StreamAck, ACK_BYTES, budget)
            await acknowledge(claims.subject, said)
        return Response(status_code=HTTPStatus.ACCEPTED)

    return [Route(ACK_PATH, answer, methods=["POST"])]
