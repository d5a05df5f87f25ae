"""`Publisher`: one interface for publishing over HTTP (ingest) and straight to Kafka."""

import ssl
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from clarion.client.publishing.transport import Result, Transport
from clarion.client.tokens import GetToken, TokenSource
from clarion.contracts.api.status import Status
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission
from clarion.edges.kafka import KafkaSecurity

if TYPE_CHECKING:
    from clarion.client.publishing.http_publisher import HttpTransport

DEADLINE_S: Final = 30.0


class Publisher:
    """Sends notifications. Make one with `Publisher.http` or `Publisher.kafka`.

        async with Publisher.http("http://localhost:8080", token=token) as publisher:
            await publisher.publish(recipient="ann", type="call.missed", message="Bob called", priority="urgent")

    Several tasks may use one publisher at the same time, all of them in the event loop that opened it. In another loop,
    and while the publisher is not open, each call raises `NotOpen`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @staticmethod
    def http(
        url: str,
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        deadline_s: float = DEADLINE_S,
        ssl_context: ssl.SSLContext | None = None,
    ) -> "HttpPublisher":
        """Return a publisher that sends through the ingest at `url`. The sender is the subject of the token.

        Give either `token` or `get_token`, a function (async or not) that returns a token and is called again when the
        server refuses that one; else ValueError is raised. `deadline_s` is the time in seconds that one call may take,
        repeats and waiting included. `ssl_context` takes the place of the host's certificate settings.
        """
        from clarion.client.publishing.http_publisher import HttpTransport

        return HttpPublisher(HttpTransport(url, TokenSource(token, get_token), deadline_s, ssl_context))

    @classmethod
    def kafka(
        cls,
        bootstrap: str,
        *,
        sender: str,
        prefix: str = "",
        deadline_s: float = DEADLINE_S,
        security: KafkaSecurity | None = None,
    ) -> Self:
        """Return a publisher that sends straight to Kafka as `sender`.

        `bootstrap` has the brokers' addresses, as `host:port`, separated by commas. `prefix` is what the names of the
        topics begin with (CLARION_PREFIX). `deadline_s` is the time in seconds that one call may take, or the opening,
        which raises `Unavailable` when no broker answers. `security` is for brokers that need TLS or a login. Raise
        ValueError when that is incomplete, and ModuleNotFoundError without the extra `clarion[kafka]`.
        """
        try:
            from clarion.client.publishing.kafka_publisher import KafkaTransport
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"publishing straight to Kafka needs {error.name}: pip install 'clarion[kafka]'", name=error.name
            ) from error

        return cls(KafkaTransport(bootstrap, sender, prefix, deadline_s, security))

    async def publish(
        self,
        *,
        recipient: str,
        type: str,  # noqa: A002 - the field's name in the contract
        message: str,
        priority: Lane | str = Lane.NORMAL,
        data: dict[str, Any] | None = None,
        deliver_at: datetime | None = None,
        expires_at: datetime | None = None,
        collapse_key: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Publish one notification; return its id once Kafka has acknowledged it.

        Failures that may pass are tried again within the deadline, which is safe because the id stays the same. Give
        an `idempotency_key` when your own process may repeat the call: the same key makes the same id.

        `type` is a name such as `call.missed`, at most 64 of the characters `a-z0-9._-`. `message` has at most 4,096
        characters. `data` is a JSON object for the client, at most 16 KiB. `deliver_at` is when to deliver, at most 365
        days ahead; without it, that is at once. `expires_at` is when the notification ends, at most 730 days ahead.
        Both need a time zone. Of one recipient's notifications with the same priority and `collapse_key`, the newest
        replaces those before it that nobody has read.

        Raise `Refused`, which is final, `Unavailable` (the notification may still arrive), or ValueError for an unknown
        priority.

        Publish as many at a time as you like. Over HTTP a few requests are under way, and what waits meanwhile is sent
        as one batch. A notification with a key takes a request of its own, and 16 of those are under way at a time.
        """
        submission = Submission(
            type=type,
            message=message,
            priority=Lane(priority),
            data=data or {},
            deliver_at=deliver_at,
            expires_at=expires_at,
            collapse_key=collapse_key,
            recipient=recipient,
        )
        return await self._transport.send(submission, idempotency_key)

    async def publish_many(self, notifications: Sequence[Submission]) -> list[Result]:
        """Publish many, each to its `recipient`; return a `Result` for each, in the same order.

        One that is refused does not affect the others. Raise `Refused` when the caller is refused (token, scope).
        """
        return await self._transport.send_many(notifications)

    async def __aenter__(self) -> Self:
        await self._transport.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.stop()


class HttpPublisher(Publisher):
    """A `Publisher` through ingest, which also says what became of a notification, and retracts it."""

    def __init__(self, transport: "HttpTransport") -> None:
        super().__init__(transport)
        self._http = transport

    async def status(self, id_: str) -> Status | None:
        """Return what became of a notification of this sender, or None while it is not stored.

        One that is retracted before it is stored has a status, too. Raise `Refused` or `Unavailable`.
        """
        return await self._http.status(id_)

    async def retract(self, id_: str) -> None:
        """Retract a notification of this sender, also one that is not stored yet.

        It leaves the user's inbox and devices soon after. Calling this again is harmless. Raise `Refused` (status 404
        when the notification is another sender's), or `Unavailable` (the notification may still be retracted).
        """
        await self._http.retract(id_)
