"""Requests to a service, tried again until there is a verdict."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

import httpx
import msgspec

from clarion.client.errors import Refused, Unavailable
from clarion.client.tokens import TokenSource
from clarion.contracts.problems import Problem
from clarion.resilience.backoff import Backoff

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(base_s=0.1, cap_s=10.0)
_REQUEST_S: Final = 10.0
# Another try may succeed, and cannot do anything twice: what is published has an idempotency key, marks are idempotent.
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})


class Http:
    """Asks one of `urls`, another one perhaps at the next try. Connections are opened when needed."""

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenSource,
        deadline_s: float,
        through: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._deadline_s = deadline_s
        self._through = through
        self._client: httpx.AsyncClient | None = None

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def deadline(self) -> float:
        """Of what starts now, on the monotonic clock."""
        return time.monotonic() + self._deadline_s

    async def ask(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> httpx.Response:
        """Ask until there is a verdict. Raises `Refused`, or `Unavailable` after the deadline."""
        if self._client is None:  # only now: it costs milliseconds to make
            self._client = httpx.AsyncClient(timeout=_REQUEST_S, trust_env=False, transport=self._through)
        failures, refreshed = 0, False
        while True:
            url = random.choice(self._urls)  # noqa: S311 - spreads load, keeps no secret
            token = await self._tokens.current()
            authorised = {"Authorization": f"Bearer {token}", **(headers or {})}
            wait_s = 0.0
            try:
                response = await self._client.request(
                    method, url + path, content=body, headers=authorised, params=params
                )
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return response
                if response.status_code == 401 and self._tokens.refreshable and not refreshed:
                    self._tokens.refused(token)
                    refreshed = True
                    continue
                if response.status_code not in _RETRIED:
                    raise Refused(_problem(response))
                reason = f"{response.status_code} {_problem(response).detail}"
                wait_s = retry_after(response)
            delay = wait_s + BACKOFF.delay(failures)
            failures += 1
            if time.monotonic() + delay > deadline:
                raise Unavailable(f"{url} did not accept it within {self._deadline_s:g} s: {reason}")
            log.debug("trying again in %.2f s: %s", delay, reason)
            await asyncio.sleep(delay)


def retry_after(response: httpx.Response) -> float:
    """Seconds; the other form of the header, a date, is not what Clarion sends."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _problem(response: httpx.Response) -> Problem:
    """What the server says, or, when a proxy in between answered, what can be told from the status."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        return Problem(response.reason_phrase, response.status_code, response.text[:200])
