"""Read a batch of NDJSON, and write one result a line. A bad line harms none of its neighbours. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Notification
from clarion.security.tokens import Claims
from services.ingest.submission import Rejected, parse_line


class LineResult(msgspec.Struct, omit_defaults=True):
    """The result of a line; `line` counts from 1. 202: accepted under `id`; otherwise `errors` say why not.

    `retry_after` says in how many seconds to send the line again, under the same Idempotency-Key.
    """

    line: int
    status: int
    id: str | None = None
    errors: list[FieldError] = []
    retry_after: int | None = None


class TooManyLines(Exception):
    """A batch has more than limits.BATCH_LINES lines."""


def parse_batch(
    body: bytes, claims: Claims, key: str | None, now: datetime
) -> tuple[dict[int, Notification], dict[int, LineResult]]:
    """Return the notifications of a batch by line, and the results of the lines that have none.

    Empty lines are skipped, but counted. Under an idempotency `key` a line's id is that of (sender, recipient, key,
    line number), so the same batch sent again, accepted lines blanked or not, makes nothing twice. Raise
    `TooManyLines`.
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
            accepted[number] = parse_line(line, number, claims, key, now)
        except Rejected as error:
            refused[number] = LineResult(number, error.status, errors=list(error.errors))
    return accepted, refused


def write_results(results: Mapping[int, LineResult]) -> bytes:
    """Return the results as NDJSON, in the order of their lines."""
    ordered: Iterable[LineResult] = (results[number] for number in sorted(results))
    return msgspec.json.Encoder().encode_lines(ordered)
