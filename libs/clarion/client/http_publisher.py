"""Publishing through ingest."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from clarion.client.errors import Refused, Unavailable
from clarion.client.tokens import TokenSource
from clarion.client.transport import Result
from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.contracts.notification import Submission
from clarion.contracts.problems import FieldError, Problem
from clarion.contracts.status import Status
from clarion.resilience.backoff import Backoff

log = logging.getLogger(__name__)

_REQUEST_S: Final = 10.0
_BACKOFF: Final = Backoff(base_s=0.1, cap_s=10.0)
# Another try may succeed, and cannot make anything twice: every POST has an idempotency key.
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})

_encoder = msgspec.json.Encoder()


class _LineResult(msgspec.Struct):
    line: int
    status: int
    id: str | None = None
    errors: list[FieldError] = []


class _Accepted(msgspec.Struct):
    id: str


class HttpTransport:
    def __init__(
        self, url: str, tokens: TokenSource, deadline_s: float, through: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._deadline_s = deadline_s
        self._client = httpx.AsyncClient(timeout=_REQUEST_S, trust_env=False, transport=through)

    async def start(self) -> None:
        pass  # connections are opened when needed

    async def stop(self) -> None:
        await self._client.aclose()

    async def send(self, submission: Submission, key: str | None) -> str:
        body = _encoder.encode(submission)
        deadline = time.monotonic() + self._deadline_s
        response = await self._ask("POST", "", deadline, _headers("application/json", key or _own_key()), body)
        return msgspec.json.decode(response.content, type=_Accepted).id

    async def send_many(self, submissions: Sequence[Submission]) -> list[Result]:
        lines = [_encoder.encode(submission) for submission in submissions]
        results: dict[int, Result] = {}
        for start, stop in _chunks(lines):
            found = await self._send_chunk(lines[start:stop])
            results |= {start + position: result for position, result in found.items()}
        too_large = FieldError("", "too_large", f"at most {limits.RECORD_BYTES} bytes", limits.RECORD_BYTES)
        return [results.get(index, Result(422, errors=[too_large])) for index in range(len(lines))]

    async def _send_chunk(self, lines: Sequence[bytes]) -> Mapping[int, Result]:
        """Send until each line has a verdict. Settled lines are blanked: the numbers, and so the ids, stay the same."""
        key, deadline, failures = _own_key(), time.monotonic() + self._deadline_s, 0
        results: dict[int, Result] = {}
        while True:
            body = b"\n".join(b"" if index in results else line for index, line in enumerate(lines))
            try:
                response = await self._ask("POST", "/batch", deadline, _headers("application/x-ndjson", key), body)
            except Unavailable as error:
                lost = Result(503, errors=[FieldError("", "unavailable", str(error))])
                return {index: results.get(index, lost) for index in range(len(lines))}
            pending: dict[int, Result] = {}
            for found in map(_line_decoder.decode, response.content.splitlines()):
                settled = pending if found.status in (429, 503) else results
                settled[found.line - 1] = Result(found.status, found.id, found.errors)
            delay = _retry_after(response) + _BACKOFF.delay(failures)
            if not pending or time.monotonic() + delay > deadline:
                return results | pending
            failures += 1
            await asyncio.sleep(delay)

    async def status(self, id_: str) -> Status | None:
        try:
            response = await self._ask("GET", f"/{quote(id_, safe='')}", time.monotonic() + self._deadline_s)
        except Refused as error:
            if error.problem.status == 404:
                return None
            raise
        return msgspec.json.decode(response.content, type=Status)

    async def retract(self, id_: str) -> None:
        await self._ask("DELETE", f"/{quote(id_, safe='')}", time.monotonic() + self._deadline_s)

    async def _ask(
        self, method: str, path: str, deadline: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        """Ask until there is a verdict. Raises `Refused`, or `Unavailable` after the deadline."""
        failures, refreshed = 0, False
        while True:
            authorised = {"Authorization": f"Bearer {await self._tokens.current()}", **(headers or {})}
            wait_s = 0.0
            try:
                response = await self._client.request(
                    method, f"{self._url}/v1/notifications{path}", content=body, headers=authorised
                )
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return response
                if response.status_code == 401 and self._tokens.refreshable and not refreshed:
                    self._tokens.refused()
                    refreshed = True
                    continue
                if response.status_code not in _RETRIED:
                    raise Refused(_problem(response))
                reason = f"{response.status_code} {_problem(response).detail}"
                wait_s = _retry_after(response)
            delay = wait_s + _BACKOFF.delay(failures)
            failures += 1
            if time.monotonic() + delay > deadline:
                raise Unavailable(f"{self._url} did not accept it within {self._deadline_s:g} s: {reason}")
            log.debug("trying again in %.2f s: %s", delay, reason)
            await asyncio.sleep(delay)


_line_decoder = msgspec.json.Decoder(_LineResult)


def _headers(media_type: str, key: str) -> dict[str, str]:
    return {"Content-Type": media_type, "Idempotency-Key": key}


def _own_key() -> str:
    return new_id().replace("-", "")


def _chunks(lines: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Runs of lines that fit into one request; a line above a record's limit is in none."""
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


def _retry_after(response: httpx.Response) -> float:
    """Seconds; the other form of the header, a date, is not what ingest sends."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _problem(response: httpx.Response) -> Problem:
    """What the server says, or, when a proxy in between answered, what can be told from the status."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        return Problem(response.reason_phrase, response.status_code, response.text[:200])
