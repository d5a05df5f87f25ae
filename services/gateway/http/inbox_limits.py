"""A user's and an address's share of the inbox: how often it is asked, and how many pages may wait for their reader.

A page has up to 1 MiB. Whoever asks for many and reads none must not leave them here, nor in the system's buffers.
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
from clarion.web.problem_responses import Refused

PAGES_OF_USER: Final = 4  # under way at once
PAGES_OF_ADDRESS: Final = 16
_PIECE_BYTES: Final = 64 * KIB
_AGAIN_S: Final = 2


class PageSlot:
    """A page that is under way, until it is taken or its reader is gone."""

    def __init__(self, places: list[tuple[AddressCounter, str]]) -> None:
        self._places: Final = places
        for counter, name in places:
            counter.enter(name)

    def leave(self) -> None:
        while self._places:
            counter, name = self._places.pop()
            counter.leave(name)


class InboxLimits:
    """`per_s`: requests of a user to the inbox, and as many at once, as of frames on a socket. Bounded by who asks.

    Without `by_address` an address may be everybody's.
    """

    def __init__(self, per_s: int, trusted: Networks, *, by_address: bool) -> None:
        self._rate: Final = RateLimit(per_s, per_s)
        self._trusted: Final = trusted
        self._users: Final = AddressCounter(PAGES_OF_USER)
        self._addresses: Final = AddressCounter(PAGES_OF_ADDRESS if by_address else 0)

    def take_turn(self, user: str) -> None:
        """Raises `Refused` (429)."""
        if wait_s := self._rate.take(user, time.monotonic()):
            raise _too_many(f"at most {self._rate.burst} requests to the inbox a second", math.ceil(wait_s))

    def enter(self, user: str, request: Request) -> PageSlot:
        """Raises `Refused` (429)."""
        headers, peer = request.headers, request.client.host if request.client else ""
        forwarded, x_forwarded_for = headers.getlist("forwarded"), headers.getlist("x-forwarded-for")
        address = client_address(peer, forwarded, x_forwarded_for, self._trusted)
        if self._users.is_full(user):
            raise _too_many(
                f"read the pages that were asked for: at most {PAGES_OF_USER} of a user are under way", _AGAIN_S
            )
        if self._addresses.is_full(address):
            raise _too_many(f"at most {PAGES_OF_ADDRESS} pages of an address are under way", _AGAIN_S)
        return PageSlot([(self._users, user), (self._addresses, address)])


class SlotResponse(Response):
    """Sent in pieces, each when the one before is on its way: its share is free again when its reader has it."""

    def __init__(self, share: PageSlot, content: bytes, *, headers: dict[str, str], media_type: str) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._share: Final = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            body = memoryview(self.body)
            for start in range(0, len(body), _PIECE_BYTES):
                piece = bytes(body[start : start + _PIECE_BYTES])
                await send({"type": "http.response.body", "body": piece, "more_body": start + _PIECE_BYTES < len(body)})
        finally:
            self._share.leave()


def _too_many(detail: str, retry_after_s: int) -> Refused:
    return Refused(429, detail, headers={"Retry-After": str(retry_after_s)})
