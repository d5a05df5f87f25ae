"""Where a redirect of a gateway's address leads, and whether the token may go there. Pure."""

from urllib.parse import urljoin, urlsplit

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def followed(url: str, location: str) -> str | None:
    """The address to go on with, or None: to another host, or from TLS to none, a token is not taken along."""
    try:
        old = urlsplit(url)
        new = urlsplit(urljoin(url.replace("ws", "http", 1), location))
        is_same_place = new.hostname == old.hostname and "@" not in new.netloc
        scheme = _SCHEMES.get(new.scheme)
        if not is_same_place or scheme is None or new.port == 0:
            return None
        if scheme == old.scheme and new.port != old.port:
            return None
    except ValueError:
        return None
    if (old.scheme, scheme) == ("wss", "ws"):
        return None
    return new._replace(scheme=scheme, fragment="").geturl()
