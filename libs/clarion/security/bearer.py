"""Where a client shows its token: in the Authorization header, or in a subprotocol, since a browser sets no header.

Never in the address, which proxies log, and browsers keep.
"""

import re
from collections.abc import Iterable
from typing import Final

from clarion.contracts.api.frames import BEARER_PREFIX
from clarion.security.tokens import TokenError

# by its name, or by what it looks like: a JWT begins with an object, `{"` is `eyJ` in base64, and has three parts
_TOKEN_IN_QUERY: Final = re.compile(
    r"(?:^|[&;])(?:access_?token|id_?token|token|jwt|bearer|auth\w*)=|eyJ[\w-]*\.[\w-]+\.", re.IGNORECASE
)


_MISSING: Final = (
    "token missing: send it in the Authorization header, or on a WebSocket as the subprotocol bearer.<token>"
)


def shown(authorization: str, subprotocols: Iterable[str], query: str) -> str | TokenError:
    """The token of who wants to stay connected, or why there is none to look at."""
    try:
        return presented(authorization, subprotocols, query) or TokenError(_MISSING)
    except TokenError as error:
        return error


def presented(authorization: str, subprotocols: Iterable[str], query: str) -> str:
    """The token, empty when there is none. Raises `TokenError` when the address has one: it has leaked already."""
    if _TOKEN_IN_QUERY.search(query):
        raise TokenError("a token in the address ends up in logs: send it in the Authorization header or a subprotocol")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    for header in subprotocols:
        for name in header.split(","):
            if name.strip().startswith(BEARER_PREFIX):
                return name.strip().removeprefix(BEARER_PREFIX)
    return ""
