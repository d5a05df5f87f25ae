"""Defines the life of a connection: it is in one state at a time, and only some states may follow. Pure."""

from enum import IntEnum, auto
from typing import Final


class ConnectionState(IntEnum):
    """The states in the order in which they come; from each of them a connection may begin to close."""

    OPENED = auto()  # the upgrade or the request for an event stream is answered
    VERIFIED = auto()  # its token proves a user
    JOINED = auto()  # it is in its user's room: what comes from now on is marked
    GREETED = auto()  # `hello` is sent
    PRESENT = auto()  # its session is stored: only now may the store be read (D-session-first)
    CLOSING = auto()  # the last frame is sent or received
    CLOSED = auto()  # the socket is gone


class UnexpectedState(Exception):
    """A connection was to go to a state that cannot follow its own: a fault of the gateway's code, not of a client."""


_CLOSING: Final = ConnectionState.CLOSING


def advanced(now: ConnectionState, to: ConnectionState) -> ConnectionState:
    """Return `to`. Raises `UnexpectedState` unless it is the next state, or ends the connection."""
    if to == now + 1 or (to >= _CLOSING and to > now):
        return to
    following = [state.name for state in ConnectionState if state > now and (state == now + 1 or state >= _CLOSING)]
    expected = " or ".join(following) or "no other state"
    raise UnexpectedState(f"a connection that is {now.name} cannot become {to.name}: expected {expected}")
