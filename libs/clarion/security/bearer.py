"""Where a client sends its token: in the header Authorization, or in a subprotocol, as a browser cannot set the header.

A token in the address is refused, because proxies log addresses and browsers keep them.
"""

import re
from collections.abc import Iterable
from typing import Final

from clarion.contracts.api.frames import BEARER_PREFIX
from clarion.security.tokens import TokenError

# by its name, or by its form: a JWT has three parts, and begins with an object, whose `{"` is `eyJ` in base64
_TOKEN_IN_QUERY: Final = re.compile(
    r"(?:^|[&;])(?:access_?token|id_?token|token|jwt|bearer|auth\w*)=|eyJ[\w-]*\.[\w-]+\.", re.IGNORECASE
)


_MISSING: Final = (
    "the token is missing: send it in the Authorization header, or on a WebSocket as the subprotocol bearer.<token>"
)


def shown(authorization: str, subprotocols: Iterable[str], query: str) -> str | TokenError:
    """Return the token of a client that wants a connection, or the reason why there is none."""
    try:
        return presented(authorization, subprotocols, query) or TokenError(_MISSING)
    except TokenError as error:
        return error


def presented(authorization: str, subprotocols: Iterable[str], query: str) -> str:
    """Return the token, empty if there is none. Raise `TokenError` if the address has one, which has leaked already."""
    if _TOKEN_IN_QUERY.search(query):
        raise TokenError(
            "the token is in the URL, which logs record: send it in the Authorization header or a subprotocol"
        )
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    for header in subprotocols:
        for name in header.split(","):
            if name.strip().startswith(BEARER_PREFIX):
                return name.strip().removeprefix(BEARER_PREFIX)
    return ""
