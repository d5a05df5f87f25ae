"""Origins of pages (RFC 6454), written as browsers write the header `Origin`, so that they can be compared as bytes."""

import re
from typing import Final

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@\[\]:\\%,;]+)(?::(?P<port>\d*))?(?P<rest>[/?#].*)?",
    re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443}


def normalised(text: str) -> str:
    """Return an origin as browsers write it. Raise ValueError, which says what is wrong and what to write instead."""
    if text == "null":
        raise ValueError("`null` cannot be allowed: pages from files and sandboxes send it, whoever wrote them")
    if "*" in text:
        raise ValueError(f"`{text}` has a wildcard, which is not supported: write each origin, separated by commas")
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is not an origin: write scheme and host, such as https://app.example")
    scheme, host, port, rest = found["scheme"].lower(), found["host"], found["port"] or "", found["rest"] or ""
    if rest not in ("", "/"):
        cure = f"{scheme}://{host.lower()}{port and ':' + port}"
        raise ValueError(f"`{text}` has a path, and an origin has none: write {cure}")
    if scheme in ("ws", "wss"):
        cure = f"http{scheme[2:]}://{host.lower()}"
        raise ValueError(f"`{text}` is a socket's address: write the origin of the page, such as {cure}")
    if port and not 0 < int(port) <= 65_535:
        raise ValueError(f"`{text}` has the port {port}, and ports are 1 to 65535")
    shown = f":{int(port)}" if port and int(port) != _PORTS.get(scheme) else ""
    return f"{scheme}://{_ascii(host)}{shown}"


def _ascii(host: str) -> str:
    """Return a host as browsers write it: in lower case, and in Punycode if it is not ASCII."""
    try:
        return host.lower() if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise ValueError(f"`{host}` is not a valid host name") from error
