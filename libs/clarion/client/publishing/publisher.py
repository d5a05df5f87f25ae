"""`Publisher`: one interface over HTTP (ingest) and Kafka."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from clarion.client.publishing.transport import Result, Transport
from clarion.client.tokens import GetToken, TokenSource
from clarion.contracts.api.status import Status
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission

if TYPE_CHECKING:
    from clarion.client.publishing.http_publisher import HttpTransport

DEADLINE_S: Final = 30.0


class Publisher:
    """An async context manager; safe for concurrent use within the event loop it was opened in: else `NotOpen`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @staticmethod
    def http(
        url: str,
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> "HttpPublisher":
        """Publish through ingest at `url`. The token's subject is the sender.

        `deadline_s` is for one call, the time it waits for its turn included.
        """
        from clarion.client.publishing.http_publisher import HttpTransport

        return HttpPublisher(HttpTransport(url, TokenSource(token, get_token), deadline_s))

    @classmethod
    def kafka(cls, bootstrap: str, *, sender: str, prefix: str = "", deadline_s: float = DEADLINE_S) -> Self:
        """Publish straight to Kafka as `sender`. `prefix` is that of the topics (CLARION_PREFIX)."""
        from clarion.client.publishing.kafka_publisher import KafkaTransport

        return cls(KafkaTransport(bootstrap, sender, prefix, deadline_s))

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

        Transient failures are tried again within the deadline, which is safe because the id stays the same. Give an
        `idempotency_key` when your own process may repeat the call. With `deliver_at` it is held until then, at most
        365 days. Raises `Refused`, or `Unavailable` (it may still arrive), or ValueError for an unknown priority.

        Publish as many at once as you like: over HTTP a few requests are under way, and those without a key that wait
        meanwhile go together. Each of those with a key takes a request, 16 at once.
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
        """Publish many, each to its `recipient`; the results are in their order, and one never harms another.

        Raises `Refused` when not the notifications but the caller was refused (token, scope).
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
    """Ingest also tells what became of a notification, and takes it back."""

    def __init__(self, transport: "HttpTransport") -> None:
        super().__init__(transport)
        self._http = transport

    async def status(self, id_: str) -> Status | None:
        """What became of a notification of this sender; None while it is not stored, unless it is retracted already.

        Raises `Refused`, or `Unavailable`.
        """
        return await self._http.status(id_)

    async def retract(self, id_: str) -> None:
        """Take a notification back, which takes effect soon after; to be repeated without harm.

        It may be on its way still. Raises `Refused` (404: it is another's), or `Unavailable` (it may still be
        retracted).
        """
        await self._http.retract(id_)
