"""A batch: NDJSON in, one result a line out. One bad line never harms its neighbours. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Notification
from clarion.security.tokens import Claims
from services.ingest.submission import Rejected, read_line


class LineResult(msgspec.Struct, omit_defaults=True):
    """`line` counts from 1. 202: accepted under `id`; else `errors` say why.

    `retry_after` says in how many seconds to send the line again, under the same Idempotency-Key.
    """

    line: int
    status: int
    id: str | None = None
    errors: list[FieldError] = []
    retry_after: int | None = None


class TooManyLines(Exception):
    """More than limits.BATCH_LINES."""


def read_batch(
    body: bytes, claims: Claims, key: str | None, now: datetime
) -> tuple[dict[int, Notification], dict[int, LineResult]]:
    """Per line, its notification or why it has none; empty lines are passed over, but counted.

    Under an idempotency `key` a line's id is that of (sender, recipient, key, line number): the same batch sent again,
    accepted lines blanked or not, makes nothing twice. Raises `TooManyLines`.
    """
    lines = body.split(b"\n")
    if len(lines) - (not lines[-1]) > limits.BATCH_LINES:
        raise TooManyLines
    accepted: dict[int, Notification] = {}
    refused: dict[int, LineResult] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            accepted[number] = read_line(line, number, claims, key, now)
        except Rejected as error:
            refused[number] = LineResult(number, error.status, errors=list(error.errors))
    return accepted, refused


def write_results(results: Mapping[int, LineResult]) -> bytes:
    ordered: Iterable[LineResult] = (results[number] for number in sorted(results))
    return msgspec.json.Encoder().encode_lines(ordered)
