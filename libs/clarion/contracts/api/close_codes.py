"""Why a connection ends (RFC 6455 section 7.4; 4000 to 4999 are Clarion's), and whether its client comes back."""

from enum import IntEnum
from typing import Final


class Close(IntEnum):
    """The close codes of the protocol; `docs/protocol.md` says when each comes, and what a client does about it."""

    GOING_AWAY = 1001
    NOT_RFC_6455 = 1002
    BINARY = 1003
    NOT_UTF8 = 1007
    TOO_LARGE = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_AGAIN = 1013
    PROTOCOL = 4400
    TOKEN = 4401
    FORBIDDEN = 4403
    NO_PONG = 4408
    LIMIT = 4429


# A client connects again on these. 1005 and 1006 mean that no close code came: the network failed, nobody refused.
RETURN_ON: Final = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429})
REFRESH_ON: Final = frozenset({4401})
