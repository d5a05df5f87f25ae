"""The address of a client behind proxies: `Forwarded` (RFC 7239) and X-Forwarded-For, as far as they can be trusted.

Each proxy adds the address of its own caller on the right. So the lists are read from the right, for as long as the
entry was written by a trusted proxy. Anybody may have written what is further left.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Networks = tuple[IPv4Network | IPv6Network, ...]
Address = IPv4Address | IPv6Address

_SITE_BITS: Final = 64  # of an IPv6 address; one subscriber has all addresses that begin with them (RFC 6177)
_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^;\s]*))', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"^(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+))(?::\d+)?$")


def is_within(address: str, trusted: Networks) -> bool:
    """Return whether a text is an address in one of the networks."""
    found = _address(address)
    return found is not None and any(found in network for network in trusted)


def client_address(peer: str, forwarded: Sequence[str], x_forwarded_for: Sequence[str], trusted: Networks) -> str:
    """Return the address for which a request counts: an IPv4 address, or the /64 network of an IPv6 address.

    `peer` is the address at the other end of the socket; `forwarded` and `x_forwarded_for` are the values of these
    headers. A proxy sets one of the two and passes on the other as it came, so when they disagree, `peer` counts.
    """
    found = {
        _furthest(peer, hops, trusted)
        for hops in (_hops(forwarded, _forwarded_for), _hops(x_forwarded_for, str.strip))
        if hops
    }
    return _site(found.pop() if len(found) == 1 else peer)


def _hops(values: Sequence[str], parse: Callable[[str], str]) -> list[str]:
    return [parse(element) for value in values for element in value.split(",")]


def _forwarded_for(element: str) -> str:
    found = _FOR.search(element)
    return (found["quoted"] or found["plain"] or "") if found else ""


def _furthest(peer: str, hops: Sequence[str], trusted: Networks) -> str:
    """Return the first address from the right that is no trusted proxy's.

    An entry that cannot be read ends the search, and the proxy that wrote it is returned.
    """
    at = peer
    for hop in reversed(hops):
        if not is_within(at, trusted):
            break
        found = _address(hop)
        if found is None:
            break
        at = str(found)
    return at


def _address(text: str) -> Address | None:
    with_port = _WITH_PORT.match(text)
    try:
        found = ip_address((with_port["v6"] or with_port["v4"]) if with_port else text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _site(text: str) -> str:
    found = _address(text)
    if found is None:  # a socket without an address, such as a Unix socket's
        return text
    return str(found) if isinstance(found, IPv4Address) else str(ip_network((found, _SITE_BITS), strict=False))
