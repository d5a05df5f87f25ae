"""Who asks, and whether the token's scope allows it."""

from typing import Protocol

from starlette.requests import Request

from clarion.contracts.api.problems import FieldError
from clarion.security.bearer import presented
from clarion.security.tokens import Claims, KeysUnavailable, TokenError
from clarion.web.problem_responses import RETRY_AFTER_S, Refused


class TokenCheck(Protocol):
    async def verify(self, token: str) -> Claims:
        """Raises `TokenError`, or `KeysUnavailable` when nothing can be said now."""
        ...


async def caller(request: Request, check: TokenCheck, *scopes: str) -> Claims:
    """Whoever has one of `scopes`. Raises `Refused`: 401, 403, or 503 while nothing can be said of a token."""
    try:
        token = presented(request.headers.get("authorization", ""), (), request.url.query)
        if not token:
            raise Refused(401, "send Authorization: Bearer <token>", headers={"WWW-Authenticate": "Bearer"})
        claims = await check.verify(token)
    except TokenError as error:
        raise Refused(401, str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error
    except KeysUnavailable as error:
        raise Refused(503, str(error), headers={"Retry-After": str(RETRY_AFTER_S)}) from error
    if not any(map(claims.may, scopes)):
        lacking = scopes[0]
        challenge = f'Bearer error="insufficient_scope", scope="{lacking}"'
        error = FieldError("", "scope", f"the token's scope lacks `{lacking}`", lacking)
        raise Refused(403, "the token does not allow this", errors=[error], headers={"WWW-Authenticate": challenge})
    return claims
