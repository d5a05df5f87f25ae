"""Decides whether a redirect may be followed: the token goes to the same host only. Pure."""

from urllib.parse import urljoin, urlsplit

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def followed(url: str, location: str) -> str | None:
    """Return the address that a redirect leads to, or None if it must not be followed.

    A token is sent neither to another host, nor to another port by the same scheme, nor from TLS to none.
    """
    try:
        old = urlsplit(url)
        new = urlsplit(urljoin(url.replace("ws", "http", 1), location))
        is_same_host = new.hostname == old.hostname and "@" not in new.netloc
        scheme = _SCHEMES.get(new.scheme)
        if not is_same_host or scheme is None or new.port == 0:
            return None
        if scheme == old.scheme and new.port != old.port:
            return None
    except ValueError:
        return None
    if (old.scheme, scheme) == ("wss", "ws"):
        return None
    return new._replace(scheme=scheme, fragment="").geturl()
