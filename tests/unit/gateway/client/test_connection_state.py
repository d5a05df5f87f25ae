"""The life of a connection: what may follow what."""

import pytest

from services.gateway.client.connection_state import ConnectionState, UnexpectedState, advanced


def test_states_come_one_after_the_other_and_each_may_end() -> None:
    states = list(ConnectionState)
    for now in states:
        allowed = {to for to in states if to == now + 1 or (to >= ConnectionState.CLOSING and to > now)}
        for to in states:
            if to in allowed:
                assert advanced(now, to) is to
            else:
                with pytest.raises(UnexpectedState, match=f"{now.name} cannot become {to.name}"):
                    advanced(now, to)


def test_the_error_says_what_was_expected() -> None:
    with pytest.raises(UnexpectedState, match="expected VERIFIED or CLOSING or CLOSED"):
        advanced(ConnectionState.OPENED, ConnectionState.PRESENT)
    with pytest.raises(UnexpectedState, match="expected no other state"):
        advanced(ConnectionState.CLOSED, ConnectionState.CLOSING)
