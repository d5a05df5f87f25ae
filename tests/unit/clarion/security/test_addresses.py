"""Whom a request is counted for, behind proxies that are trusted, and behind those that are not."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.security.addresses import client_address, is_within

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "x_forwarded_for", "expected"),
    [
        pytest.param("203.0.113.9", ["198.51.100.1"], "203.0.113.9", id="anybody may write a header"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", ["203.0.113.9"], "203.0.113.9", id="one proxy"),
        pytest.param(
            "10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9", id="what the client wrote itself is left of it"
        ),
        pytest.param("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.2.3.4"], "203.0.113.9", id="two proxies, two headers"),
        pytest.param("10.0.0.1", ["10.0.0.7, 10.0.0.8"], "10.0.0.7", id="trusted all the way: the furthest"),
        pytest.param("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1", id="unreadable: the way ends before it"),
        pytest.param("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9", id="with a port"),
        pytest.param("10.0.0.1", ["[2001:db8:1:2:3::4]:4711"], "2001:db8:1:2::/64", id="of IPv6, the site"),
        pytest.param("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9", id="IPv4 inside IPv6"),
        pytest.param("2001:db8:ffff::1", ["2001:db8:1:2::9"], "2001:db8:1:2::/64", id="an IPv6 proxy"),
        pytest.param("10.0.0.1", [""], "10.0.0.1", id="an empty header"),
        pytest.param("", [], "", id="a socket without an address"),
    ],
)
def test_forwarded_addresses_count_as_far_as_proxies_are_trusted(
    peer: str, x_forwarded_for: list[str], expected: str
) -> None:
    assert client_address(peer, [], x_forwarded_for, TRUSTED) == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["for=203.0.113.9"], "203.0.113.9"),
        (['For="[2001:db8:1:2::9]:47011";proto=https, for=10.9.9.9'], "2001:db8:1:2::/64"),
        (["proto=https;for=203.0.113.9;by=10.0.0.1"], "203.0.113.9"),
        (["for=1.1.1.1", "for=203.0.113.9"], "203.0.113.9"),
        (["for=_hidden"], "10.0.0.1"),
        (["proto=https"], "10.0.0.1"),
    ],
)
def test_the_standard_header_says_the_same(forwarded: list[str], expected: str) -> None:
    assert client_address("10.0.0.1", forwarded, [], TRUSTED) == expected


def test_of_two_headers_that_disagree_neither_is_believed() -> None:
    both = ["for=203.0.113.9"], ["203.0.113.9"]
    assert client_address("10.0.0.1", *both, TRUSTED) == "203.0.113.9"
    assert client_address("10.0.0.1", ["for=198.51.100.1"], ["203.0.113.9"], TRUSTED) == "10.0.0.1"


@given(st.lists(st.text(max_size=30)), st.lists(st.text(max_size=30)))
def test_no_header_fails_and_an_untrusted_peer_is_always_itself(forwarded: list[str], listed: list[str]) -> None:
    assert client_address("203.0.113.9", forwarded, listed, TRUSTED) == "203.0.113.9"
    assert client_address("10.0.0.1", forwarded, listed, TRUSTED)


def test_nobody_is_trusted_by_default() -> None:
    assert not is_within("127.0.0.1", ())
    assert client_address("127.0.0.1", [], ["203.0.113.9"], ()) == "127.0.0.1"
