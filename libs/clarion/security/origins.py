"""Which pages may connect (RFC 6454). Browsers always send Origin with a WebSocket; other clients need not."""

from collections.abc import Collection


def is_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Exact matches only; a request without an Origin comes from no page, and its token speaks for it."""
    return origin is None or origin in allowed
