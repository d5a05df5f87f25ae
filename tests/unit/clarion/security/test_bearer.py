"""Where a token may be shown, and where not."""

import pytest

from clarion.security.bearer import presented
from clarion.security.tokens import TokenError

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("authorization", "subprotocols", "expected"),
    [
        (f"Bearer {JWT}", [], JWT),
        (f"bearer  {JWT} ", [], JWT),
        ("", [f"clarion.v1, bearer.{JWT}"], JWT),
        ("", ["clarion.v1", f"bearer.{JWT}"], JWT),
        (f"Bearer {JWT}", ["bearer.other"], JWT),
        (f"Basic {JWT}", [], ""),
        ("Bearer", [], ""),
        ("", ["clarion.v1"], ""),
    ],
)
def test_a_token_comes_by_header_or_subprotocol(authorization: str, subprotocols: list[str], expected: str) -> None:
    assert presented(authorization, subprotocols, "") == expected
    assert presented(authorization, subprotocols, "v=1&lang=en&page=token&cursor=abceyJdef-_") == expected


@pytest.mark.parametrize("query", ["token=x", "a=b&access_token=x", "JWT=x", f"q={JWT}", "authorization=Bearer%20x"])
def test_a_token_in_the_address_is_refused_and_not_repeated(query: str) -> None:
    with pytest.raises(TokenError, match="header or a subprotocol") as refused:
        presented(f"Bearer {JWT}", [], query)
    assert "x" not in str(refused.value).split()
    assert JWT not in str(refused.value)
