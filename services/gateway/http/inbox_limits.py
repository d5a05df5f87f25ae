"""Limits a user's and an address's share of the inbox: requests a second, and pages that wait for their reader.

A page has up to 1 MiB. A client that asks for many and reads none must not leave them in this process, nor in the
system's buffers.
"""

import math
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from clarion.contracts.limits import KIB
from clarion.resilience.gcra import RateLimit
from clarion.security.address_counter import AddressCounter
from clarion.security.addresses import Networks, client_address
from clarion.telemetry import metrics
from clarion.web.problem_responses import Refused

PAGES_OF_USER: Final = 4  # under way at the same time
PAGES_OF_ADDRESS: Final = 16  # likewise
_PIECE_BYTES: Final = 64 * KIB  # of a page that is sent in pieces
_AGAIN_S: Final = 2  # Retry-After when too many pages are under way


class PageSlot:
    """Counts a page for its user and its address, until it is sent or its reader is gone."""

    def __init__(self, counters: list[tuple[AddressCounter, str]]) -> None:
        self._counters: Final = counters
        for counter, name in counters:
            counter.enter(name)

    def leave(self) -> None:
        """Stop counting the page; nothing happens the second time."""
        while self._counters:
            counter, name = self._counters.pop()
            counter.leave(name)


class InboxLimits:
    """Limits the inbox. A user may make `per_s` requests a second, as many as frames on a socket.

    Its size is bounded by the users and addresses that ask. Without `by_address`, pages of an address are not limited,
    since all clients may share one address.
    """

    def __init__(self, per_s: int, trusted: Networks, *, by_address: bool) -> None:
        self._rate: Final = RateLimit(per_s, per_s)
        self._trusted: Final = trusted
        self._users: Final = AddressCounter(PAGES_OF_USER)
        self._addresses: Final = AddressCounter(PAGES_OF_ADDRESS if by_address else 0)

    def count_request(self, user: str) -> None:
        """Count a request of a user. Raises `Refused` (429) when there are too many in a second."""
        if wait_s := self._rate.take(user, time.monotonic()):
            raise _too_many(
                "inbox_requests",
                f"a user may send at most {self._rate.burst} requests to the inbox a second",
                math.ceil(wait_s),
            )

    def enter(self, user: str, request: Request) -> PageSlot:
        """Count a page that is asked for. Raises `Refused` (429) when too many are under way."""
        headers, peer = request.headers, request.client.host if request.client else ""
        forwarded, x_forwarded_for = headers.getlist("forwarded"), headers.getlist("x-forwarded-for")
        address = client_address(peer, forwarded, x_forwarded_for, self._trusted)
        if self._users.is_full(user):
            raise _too_many(
                "inbox_pages",
                f"a user may have at most {PAGES_OF_USER} pages of the inbox under way: read those first",
                _AGAIN_S,
            )
        if self._addresses.is_full(address):
            raise _too_many(
                "inbox_pages",
                f"an address may have at most {PAGES_OF_ADDRESS} pages under way: read those first",
                _AGAIN_S,
            )
        return PageSlot([(self._users, user), (self._addresses, address)])


class SlotResponse(Response):
    """A response that is sent in pieces, each once the one before is on its way.

    So a page counts as under way until its reader has it, or is gone.
    """

    def __init__(self, share: PageSlot, content: bytes, *, headers: dict[str, str], media_type: str) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._share: Final = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; then, or when its reader is gone, stop counting the page."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            body = memoryview(self.body)
            for start in range(0, len(body), _PIECE_BYTES):
                piece = bytes(body[start : start + _PIECE_BYTES])
                await send({"type": "http.response.body", "body": piece, "more_body": start + _PIECE_BYTES < len(body)})
        finally:
            self._share.leave()


def _too_many(limit: str, detail: str, retry_after_s: int) -> Refused:
    """Return a refusal (429) with Retry-After, and count it for its `limit`."""
    metrics.rate_limited.labels(limit).inc()
    return Refused(429, detail, headers={"Retry-After": str(retry_after_s)})
