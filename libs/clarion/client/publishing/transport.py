"""The interface between a `Publisher` and what carries its notifications."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Submission


class Result(msgspec.Struct, frozen=True):
    """What became of one of many notifications: `status` is 202, and `id` its id, if Kafka has it.

    With 429 or 503 the deadline came first, and the notification may still be taken: publish it again. Every other
    status is final; `errors` name the fields.
    """

    status: int
    id: str | None = None
    errors: list[FieldError] = []


class Transport(Protocol):
    """What carries notifications: HTTP to ingest, or Kafka. Used in the event loop that started it, else `NotOpen`."""

    async def start(self) -> None:
        """Take notifications from now on. Raise `NotOpen`, or `Unavailable` when it connects at once and cannot."""
        ...

    async def send(self, submission: Submission, key: str | None) -> str:
        """Publish one under an idempotency key, if any; return its id. Raise `Refused`, `Unavailable` or `NotOpen`."""
        ...

    async def send_many(self, submissions: Sequence[Submission]) -> list[Result]:
        """Publish many; return their results in the same order. Raise `Refused` for the caller, or `NotOpen`."""
        ...

    async def stop(self) -> None:
        """Close the connections. Raise `Unavailable` when something could not be sent any more."""
        ...
