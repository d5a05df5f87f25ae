"""How many connections an address has."""

from clarion.security.address_counter import AddressCounter


def test_each_address_has_a_bound_and_is_forgotten_when_empty() -> None:
    addresses = AddressCounter(2)
    for _ in range(2):
        assert not addresses.is_full("a")
        addresses.enter("a")
    assert addresses.is_full("a")
    assert not addresses.is_full("b")
    addresses.leave("a")
    assert not addresses.is_full("a")
    addresses.leave("a")
    assert len(addresses) == 0
    assert not AddressCounter(0).is_full("a")
