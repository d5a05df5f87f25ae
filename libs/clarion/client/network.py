"""How the SDK reaches its servers: through the host's proxy, and with the authorities that the host trusts.

The settings are those which other programs read: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or the proxy of the operating
system; SSL_CERT_FILE and SSL_CERT_DIR, or the operating system's store of certificates.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterable
from functools import cache
from urllib.parse import urlsplit

import httpx2

MakeTls = Callable[[], ssl.SSLContext]


def tls(given: ssl.SSLContext | None) -> MakeTls:
    """Return a function that returns the `given` TLS context, or else one of the host's settings.

    The host's is made at the first call and kept, because it takes milliseconds and some hundred kilobytes.
    """
    return cache(lambda: httpx2.create_ssl_context() if given is None else given)


def is_local(url: str) -> bool:
    """Return whether `url` leads to this machine, which no proxy could find."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761 section 6.3


def without_proxy(urls: Iterable[str]) -> dict[str, None]:
    """Return the `mounts` of an httpx2 client by which those of `urls` that are local are asked without a proxy."""
    return {f"all://{_authority(url)}": None for url in urls if is_local(url)}


def _authority(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host
