"""Sends requests to a service, and repeats each until the service accepts or refuses it."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import msgspec

from clarion.client.errors import Refused, Unavailable
from clarion.client.life import Life
from clarion.client.network import MakeTls, without_proxy
from clarion.client.tokens import TokenSource
from clarion.contracts.api.problems import Problem
from clarion.resilience.backoff import Backoff

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(base_s=0.1, cap_s=10.0)
REQUESTS: Final = 16  # under way at once per client; httpx2's pool would go through all waiting requests for each one
_REQUEST_S: Final = 10.0
_OWN_LIMIT: Final = (
    f"this client has {REQUESTS} requests under way, which is a limit of the SDK: make fewer requests at once"
)
# A repeat may succeed, and does nothing twice: published notifications have an idempotency key, marks are idempotent.
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})


class Http:
    """An HTTP client of one service, which may have several `urls`: each try picks one of them at random.

    Connections are opened when needed. `what` names the client's owner in error texts. `trouble` says why the last try
    failed, and is empty after one that succeeded.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenSource,
        deadline_s: float,
        tls: MakeTls,
        through: httpx2.AsyncBaseTransport | None = None,
        *,
        what: str,
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._deadline_s = deadline_s
        self._tls = tls
        self._through = through
        self._client: httpx2.AsyncClient | None = None
        self._free = asyncio.Semaphore(REQUESTS)
        self._life = Life(what)
        self.trouble = ""

    def start(self) -> None:
        """Take requests from now on. Raise `NotOpen` while this client is in use in another event loop."""
        self._life.begin()
        if self._client is not None and self._client.is_closed:
            self._client = None
        self._free = asyncio.Semaphore(REQUESTS)  # a semaphore belongs to one loop, and this may be another than before

    def check(self) -> None:
        """Raise `NotOpen` after `stop`, and in another event loop than that of the first use."""
        self._life.check()

    async def stop(self) -> None:
        """Close the connections. Until the next `start`, requests raise `NotOpen`."""
        self._life.end()
        if self._client is not None:
            await self._client.aclose()

    def deadline(self) -> float:
        """Return the deadline of a request that starts now, in seconds of the monotonic clock."""
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
    ) -> httpx2.Response:
        """Send a request until the service accepts or refuses it; return the response of success.

        Raise `Refused` when the service refuses, `Unavailable` when the deadline comes first, or `NotOpen`.
        """
        self.check()
        failures, refreshed = 0, False
        while True:
            url = random.choice(self._urls)  # noqa: S311 - spreads load, keeps no secret
            token = await self._tokens.current()
            authorised = {"Authorization": f"Bearer {token}", **(headers or {})}
            wait_s = 0.0
            try:
                async with self._slot(deadline):
                    response = await self._open().request(
                        method, url + path, content=body, headers=authorised, params=params
                    )
            except httpx2.TransportError as error:
                self.trouble = (
                    f"{type(error).__name__}: {str(error) or f'the server did not answer within {_REQUEST_S:g} s'}"
                )
            else:
                if response.is_success:
                    self.trouble = ""
                    return response
                if response.status_code == 401 and self._tokens.refreshable and not refreshed:
                    self._tokens.refused(token)
                    refreshed = True
                    continue
                if response.status_code not in _RETRIED:
                    raise Refused(_problem(response))
                self.trouble = f"HTTP {response.status_code}: {_problem(response).detail}"
                wait_s = retry_after(response)
            delay = wait_s + BACKOFF.delay(failures)
            failures += 1
            if time.monotonic() + delay > deadline:
                raise Unavailable(f"{url} did not accept the request within {self._deadline_s:g} s: {self.trouble}")
            log.debug("a request is tried again in %.2f s: %s", delay, self.trouble)
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def _slot(self, deadline: float) -> AsyncGenerator[None]:
        """Hold one of the `REQUESTS` slots. Raise `Unavailable` when none becomes free before the deadline."""
        if self._free.locked():
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._free.acquire()
            except TimeoutError as error:
                why = self.trouble or _OWN_LIMIT
                raise Unavailable(f"no request could be made within {self._deadline_s:g} s: {why}") from error
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    def _open(self) -> httpx2.AsyncClient:
        """Return the httpx2 client, which is made at the first request since that takes milliseconds.

        Its pool has no timeout, as `_slot` lets in no more requests than the pool has connections.
        """
        self.check()  # `stop` may have come while the request waited in `_slot`
        if self._client is None:
            few = httpx2.Limits(max_connections=REQUESTS, max_keepalive_connections=REQUESTS)
            timeout = httpx2.Timeout(_REQUEST_S, pool=None)
            self._client = httpx2.AsyncClient(
                timeout=timeout,
                limits=few,
                verify=self._tls(),
                mounts=without_proxy(self._urls),
                transport=self._through,
            )
        return self._client


def retry_after(response: httpx2.Response) -> float:
    """Return the seconds of the header Retry-After, or 0. Its other form, a date, is not read: Clarion sends none."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _problem(response: httpx2.Response) -> Problem:
    """Return the server's problem details, or details made from the status when a proxy has answered instead."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        if location := response.headers.get("location"):
            said = f"the server redirects to {location[:200]}: use that address, if it is Clarion's"
            return Problem(response.reason_phrase, response.status_code, said)
        return Problem(response.reason_phrase, response.status_code, response.text[:200])
