"""Publishes through ingest, over HTTP."""

import asyncio
import math
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import httpx2
import msgspec

from clarion.client.errors import Refused, Unavailable
from clarion.client.http import BACKOFF, Http, retry_after
from clarion.client.network import tls
from clarion.client.publishing.publish_queue import UNSETTLED, PublishQueue
from clarion.client.publishing.transport import Result
from clarion.client.tokens import TokenSource
from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError
from clarion.contracts.api.status import Status
from clarion.contracts.ids import new_id
from clarion.contracts.records.notification import Submission

_encoder = msgspec.json.Encoder()


class _LineResult(msgspec.Struct):
    line: int
    status: int
    id: str | None = None
    errors: list[FieldError] = []
    retry_after: float | None = None


class _Accepted(msgspec.Struct):
    id: str


class HttpTransport:
    """Sends notifications to the ingest at `url`: alone, or in a batch with others that are published meanwhile.

    `deadline_s` is for one call. `ssl_context` takes the place of the host's certificate settings, and
    `through` that of the network in tests.
    """

    def __init__(
        self,
        url: str,
        tokens: TokenSource,
        deadline_s: float,
        ssl_context: ssl.SSLContext | None = None,
        through: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        url = f"{url.rstrip('/')}/v1/notifications"
        self._http = Http([url], tokens, deadline_s, tls(ssl_context), through, what="publisher")
        self._queue = self._new_queue()

    async def start(self) -> None:
        """Take notifications from now on; connections are opened when needed. Raise `NotOpen` as `Http.start` does."""
        self._http.start()
        self._queue = self._new_queue()

    async def stop(self) -> None:
        """Close the connections; what is not accepted by now raises `NotOpen` where it was published."""
        await self._queue.stop()
        await self._http.stop()

    async def send(self, submission: Submission, key: str | None) -> str:
        """Publish one notification and return its id. Raise `Refused`, `Unavailable` or `NotOpen`.

        A notification with a key is sent alone, because the ids of a batch are made from the key of the batch.
        """
        self._http.check()
        if key is None:
            return await self._queue.put(lambda: _encoder.encode(submission), self._http.deadline())
        return await self._send_one(_encoder.encode(submission), key, self._http.deadline())

    def _new_queue(self) -> PublishQueue:
        return PublishQueue(self._send_together, lambda: self._http.trouble)

    async def _send_one(self, body: bytes, key: str, deadline: float) -> str:
        headers = _headers("application/json", key)
        response = await self._http.ask("POST", "", deadline, headers=headers, body=body)
        return msgspec.json.decode(response.content, type=_Accepted).id

    async def _send_together(self, lines: Sequence[bytes], deadline: float) -> Mapping[int, Result]:
        """Send the lines that the queue puts into one request; return the result of each by its index."""
        if len(lines) == 1:
            return {0: Result(202, await self._send_one(lines[0], _own_key(), deadline))}
        return await self._send_chunk(lines, deadline)

    async def send_many(self, submissions: Sequence[Submission]) -> list[Result]:
        """Publish many in batches; return their results in the same order. Raise `Refused` or `NotOpen`."""
        self._http.check()
        lines = [_encoder.encode(submission) for submission in submissions]
        results: dict[int, Result] = {}
        for start, stop in _chunks(lines):
            found = await self._send_chunk(lines[start:stop], self._http.deadline())
            results |= {start + index: result for index, result in found.items()}
        too_large = FieldError(
            "", "too_large", f"the JSON may have at most {limits.RECORD_BYTES} bytes", limits.RECORD_BYTES
        )
        return [results.get(index, Result(422, errors=[too_large])) for index in range(len(lines))]

    async def _send_chunk(self, lines: Sequence[bytes], deadline: float) -> Mapping[int, Result]:
        """Send lines as one batch until each is accepted or refused, or the deadline comes; return their results.

        A line is sent again when its own `retry_after` is over. Until then, and once it is settled, an empty line
        takes its place: so the numbers of the other lines, and the ids that are made from them, stay the same.
        """
        key, failures = _own_key(), 0
        results = dict.fromkeys(range(len(lines)), _UNANSWERED)
        due_at = dict.fromkeys(results, 0.0)  # when to send each line that is not settled
        while True:
            now, unsettled = time.monotonic(), len(due_at)
            body = b"\n".join(line if due_at.get(index, math.inf) <= now else b"" for index, line in enumerate(lines))
            try:
                headers = _headers("application/x-ndjson", key)
                response = await self._http.ask("POST", "/batch", deadline, headers=headers, body=body)
            except Unavailable as error:
                lost = Result(503, errors=[FieldError("", "unavailable", str(error))])
                return results | dict.fromkeys(due_at, lost)
            now = time.monotonic()
            for found in map(_line_decoder.decode, response.content.splitlines()):
                index = found.line - 1
                results[index] = Result(found.status, found.id, found.errors)
                if found.status in UNSETTLED:
                    wait_s = retry_after(response) if found.retry_after is None else found.retry_after
                    due_at[index] = now + wait_s
                else:
                    due_at.pop(index, None)
            if not due_at:
                return results
            failures = failures + 1 if len(due_at) == unsettled else 0  # the server's rate counts
            delay = max(0.0, min(due_at.values()) - now) + BACKOFF.delay(failures)
            if now + delay > deadline:
                return results
            self._http.trouble = _why(results[next(iter(due_at))])
            await asyncio.sleep(delay)

    async def status(self, id_: str) -> Status | None:
        """Return what became of a notification, or None if ingest does not find it. Raise as `Http.ask` does."""
        try:
            response = await self._http.ask("GET", f"/{quote(id_, safe='')}", self._http.deadline())
        except Refused as error:
            if error.problem.status == 404:
                return None
            raise
        return msgspec.json.decode(response.content, type=Status)

    async def retract(self, id_: str) -> None:
        """Ask ingest to retract a notification. Raise as `Http.ask` does."""
        await self._http.ask("DELETE", f"/{quote(id_, safe='')}", self._http.deadline())


_UNANSWERED: Final = Result(
    503, errors=[FieldError("", "unavailable", "the answer of the server has no result for this notification")]
)
_line_decoder = msgspec.json.Decoder(_LineResult)


def _why(refused: Result) -> str:
    return f"{refused.status} " + "; ".join(error.detail for error in refused.errors)


def _headers(media_type: str, key: str) -> dict[str, str]:
    return {"Content-Type": media_type, "Idempotency-Key": key}


def _own_key() -> str:
    return new_id().replace("-", "")


def _chunks(lines: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of lines that fits into one request; a line above RECORD_BYTES is in no run."""
    start = size = 0
    for index, line in enumerate(lines):
        too_large = len(line) > limits.RECORD_BYTES
        full = index - start == limits.BATCH_LINES or size + len(line) + 1 > limits.BATCH_BYTES
        if (too_large or full) and index > start:
            yield start, index
        if too_large:
            start, size = index + 1, 0
            continue
        if full:
            start, size = index, 0
        size += len(line) + 1
    if start < len(lines):
        yield start, len(lines)
