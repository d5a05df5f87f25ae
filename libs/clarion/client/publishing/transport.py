"""What a `Publisher` sends through, and what it learns of each notification."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Submission


class Result(msgspec.Struct, frozen=True):
    """Of one notification of many: 202 and its id, or why it was not accepted."""

    status: int
    id: str | None = None
    errors: list[FieldError] = []


class Transport(Protocol):
    async def start(self) -> None: ...

    async def send(self, submission: Submission, key: str | None) -> str:
        """Raises `Refused` or `Unavailable`."""
        ...

    async def send_many(self, submissions: Sequence[Submission]) -> list[Result]: ...

    async def stop(self) -> None: ...
