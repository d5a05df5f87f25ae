"""Limits of the inbox: how often a user may ask, and how many pages may wait for who asked for them."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from clarion.web.problem_responses import Refused
from services.gateway.http import inbox_limits
from services.gateway.http.inbox_limits import PAGES_OF_ADDRESS, PAGES_OF_USER, InboxLimits, PageSlot, SlotResponse


def asking(address: str) -> Request:
    return Request({"type": "http", "headers": [], "client": (address, 4711)})


def test_a_user_may_ask_as_often_as_send_frames_on_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_limits, "time", SimpleNamespace(monotonic=lambda: 1_000.0))
    shares = InboxLimits(50, (), by_address=True)
    for _ in range(50):
        shares.count_request("ann")
    with pytest.raises(Refused) as refused:
        shares.count_request("ann")
    assert (refused.value.status_code, dict(refused.value.headers or {})) == (429, {"Retry-After": "1"})
    shares.count_request("bob")


def test_few_pages_of_a_user_and_of_an_address_are_under_way() -> None:
    shares = InboxLimits(50, (), by_address=True)
    of_ann = [shares.enter("ann", asking(f"10.0.0.{n}")) for n in range(PAGES_OF_USER)]
    with pytest.raises(Refused, match="a user may have"):
        shares.enter("ann", asking("10.0.0.9"))
    others = [shares.enter(f"user-{n}", asking("10.1.0.1")) for n in range(PAGES_OF_ADDRESS)]
    with pytest.raises(Refused, match="an address may have"):
        shares.enter("bob", asking("10.1.0.1"))
    for share in (*of_ann, *others):
        share.leave()
        share.leave()  # once is enough
    shares.enter("ann", asking("10.1.0.1"))
    assert (len(shares._users), len(shares._addresses)) == (1, 1)


class Reader:
    """Takes so many pieces, and then raises `failure`."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.taken: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        self.taken.append(message)
        if self.failure and len(self.taken) == 3:
            raise self.failure


async def _receive() -> Any:
    raise AssertionError("a page is sent, nothing is read")


async def test_a_page_goes_in_pieces_and_frees_its_share_at_the_last() -> None:
    shares, page = InboxLimits(50, (), by_address=True), bytes(range(256)) * 4_000
    reader = Reader()
    answer = SlotResponse(shares.enter("ann", asking("a")), page, headers={"x-a": "b"}, media_type="application/json")
    await answer({"type": "http"}, _receive, reader.send)
    start, *pieces = reader.taken
    assert dict(start["headers"])[b"content-length"] == str(len(page)).encode()
    assert b"".join(piece["body"] for piece in pieces) == page
    assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert max(len(piece["body"]) for piece in pieces) <= 64 * 1024
    assert len(shares._users) == 0


async def test_the_share_of_a_reader_who_is_gone_is_free() -> None:
    shares = InboxLimits(50, (), by_address=True)
    share: PageSlot = shares.enter("ann", asking("a"))
    with pytest.raises(OSError, match="gone"):
        await SlotResponse(share, b"x" * 10**6, headers={}, media_type="a/b")(
            {"type": "http"}, _receive, Reader(OSError("gone")).send
        )
    assert len(shares._users) == len(shares._addresses) == 0
