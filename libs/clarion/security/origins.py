"""Which pages may connect (RFC 6454). A browser always sends Origin with a WebSocket; other clients need not."""

from collections.abc import Collection


def is_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Return whether an origin is exactly one of those allowed, or missing: such a request comes from no page."""
    return origin is None or origin in allowed
