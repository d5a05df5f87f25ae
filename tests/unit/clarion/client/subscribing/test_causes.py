"""Why a connection ended, and what a client does about it: the table that the browser's SDK keeps to as well."""

from typing import Any

import msgspec
import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from clarion.client import Disconnected, Forbidden, SubscribeError, TokenRefused
from clarion.client.subscribing.connection import Ended, _refused
from clarion.client.subscribing.endpoints import Endpoints
from clarion.client.subscribing.reconnect import Reconnect
from clarion.resilience.backoff import Backoff
from tests.conftest import repository

TABLE: list[dict[str, Any]] = msgspec.json.decode((repository() / "tests" / "conformance" / "causes.json").read_bytes())
ENDS = [
    *((f"close {code}", Ended(code, "by the table"), row) for row in TABLE for code in row.get("closes", ())),
    *(
        (f"HTTP {status}", _refused(InvalidStatus(Response(status, "", Headers()))), row)
        for row in TABLE
        for status in row.get("statuses", ())
    ),
]
SAYS = {"refused": Disconnected, "forbidden": Forbidden, "token": TokenRefused}


def judged(ended: Ended, *, again: bool = False) -> type[SubscribeError] | None:
    reconnect = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0))
    try:
        for _ in range(1 + again):
            reconnect.after(ended, 0.0, may_refresh=True)
    except SubscribeError as error:
        return type(error)
    return None


@pytest.mark.parametrize(("code", "cure"), [(4401, "issuer"), (4403, "the scope subscribe"), (4400, "the url is")])
def test_what_is_final_says_what_to_do(code: int, cure: str) -> None:
    reconnect = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0))
    ended = Ended(code, "no")
    if code == 4401:
        reconnect.after(ended, 0.0, may_refresh=True)
    with pytest.raises(SubscribeError, match=cure):
        reconnect.after(ended, 0.0, may_refresh=True)


@pytest.mark.parametrize(("name", "ended", "row"), ENDS, ids=[name for name, _, _ in ENDS])
def test_each_cause_is_come_back_from_or_final(name: str, ended: Ended, row: dict[str, Any]) -> None:
    assert judged(ended) == SAYS.get(row.get("says", "")), name
    assert (judged(ended, again=True) is TokenRefused) == (row["then"] == "refresh"), name


@pytest.mark.parametrize("between", [Ended(1006, "cut"), Ended(1012, "restart"), Ended(4429, "HTTP 404")])
def test_two_refusals_of_different_tokens_are_no_verdict(between: Ended) -> None:
    """The first had expired; the second outlived a cut connection, or was outlived by an outage."""
    reconnect, refused = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0)), Ended(4401, "expired")
    for _ in range(3):
        reconnect.after(refused, 0.0, may_refresh=True)
        reconnect.greeted(1.0)
        reconnect.after(between, 2.0, may_refresh=True)
    reconnect.after(refused, 3.0, may_refresh=True)
    with pytest.raises(TokenRefused, match="just fetched"):
        reconnect.after(refused, 4.0, may_refresh=True)


def test_a_refusal_of_what_was_replaced_meanwhile_is_no_verdict() -> None:
    reconnect, refused = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0)), Ended(4401, "expired")
    reconnect.after(refused, 0.0, may_refresh=True)
    reconnect.after(refused, 1.0, may_refresh=True, is_latest=False)
    with pytest.raises(TokenRefused):
        reconnect.after(refused, 2.0, may_refresh=True)
