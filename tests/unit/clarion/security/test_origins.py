"""Which pages may connect."""

from clarion.security.origins import is_allowed


def test_origins_are_exact_and_no_page_needs_none() -> None:
    allowed = ("https://app.example",)
    assert is_allowed(None, allowed)
    assert is_allowed("https://app.example", allowed)
    for origin in ("https://app.example.evil", "http://app.example", "https://app.example:444", "null", ""):
        assert not is_allowed(origin, allowed)
