"""The life of a connection: one state at a time, and which one may follow which. Pure."""

from enum import IntEnum, auto
from typing import Final


class ConnectionState(IntEnum):
    """In the order in which they come; a connection may begin to close from each of them."""

    OPENED = auto()  # the upgrade is answered
    VERIFIED = auto()  # its token proves a user
    JOINED = auto()  # in its user's room: what comes from now on is marked
    GREETED = auto()  # hello is sent
    PRESENT = auto()  # its session is stored: only now may the store be read (D-session-first)
    CLOSING = auto()  # the last word is said
    CLOSED = auto()  # the socket is gone


class UnexpectedState(Exception):
    """A connection was to go to a state that cannot follow the one it is in: a fault of the gateway's own code."""


_CLOSING: Final = ConnectionState.CLOSING


def advanced(now: ConnectionState, to: ConnectionState) -> ConnectionState:
    """Return `to`. Raises `UnexpectedState` unless it comes next, or ends the connection."""
    if to == now + 1 or (to >= _CLOSING and to > now):
        return to
    following = [state.name for state in ConnectionState if state > now and (state == now + 1 or state >= _CLOSING)]
    expected = " or ".join(following) or "nothing more"
    raise UnexpectedState(f"a connection that is {now.name} cannot become {to.name}: expected {expected}")
