"""Origins of pages (RFC 6454), as browsers write them in the `Origin` of a request: compared there byte by byte."""

import re
from typing import Final

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@\[\]:\\%,;]+)(?::(?P<port>\d*))?(?P<rest>[/?#].*)?",
    re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443}


def normalised(text: str) -> str:
    """The origin that a browser means by this. Raises ValueError that says what is wrong with it and what to write."""
    if text == "null":
        raise ValueError("`null` is what pages of files and sandboxes send, whoever wrote them: it cannot be allowed")
    if "*" in text:
        raise ValueError(f"`{text}`: there are no wildcards: write each origin, separated by commas")
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no origin: write scheme and host, such as https://app.example")
    scheme, host, port, rest = found["scheme"].lower(), found["host"], found["port"] or "", found["rest"] or ""
    if rest not in ("", "/"):
        raise ValueError(f"`{text}`: an origin has no path: write {scheme}://{host.lower()}{port and ':' + port}")
    if scheme in ("ws", "wss"):
        raise ValueError(f"`{text}`: write the origin of the page, http{scheme[2:]}://{host.lower()}")
    if port and not 0 < int(port) <= 65_535:
        raise ValueError(f"`{text}`: there is no port {port}")
    shown = f":{int(port)}" if port and int(port) != _PORTS.get(scheme) else ""
    return f"{scheme}://{_ascii(host)}{shown}"


def _ascii(host: str) -> str:
    """As browsers write a name of other letters: in Punycode."""
    try:
        return host.lower() if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise ValueError(f"`{host}` is no host's name") from error
