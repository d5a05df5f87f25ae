"""`Publisher`: one interface over HTTP (ingest) and Kafka."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from clarion.client.tokens import GetToken, TokenSource
from clarion.client.transport import Result, Transport
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Submission

DEADLINE_S: Final = 30.0


class Publisher:
    """An async context manager; safe for concurrent use within one event loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def http(
        cls,
        url: str,
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Self:
        """Publish through ingest at `url`. The token's subject is the sender."""
        from clarion.client.http_publisher import HttpTransport

        return cls(HttpTransport(url, TokenSource(token, get_token), deadline_s))

    @classmethod
    def kafka(cls, bootstrap: str, *, sender: str, prefix: str = "", deadline_s: float = DEADLINE_S) -> Self:
        """Publish straight to Kafka as `sender`. `prefix` is that of the topics (CLARION_PREFIX)."""
        from clarion.client.kafka_publisher import KafkaTransport

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
