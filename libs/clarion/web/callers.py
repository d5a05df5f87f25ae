"""Who makes a request, and whether the scope of the token allows it."""

from typing import Protocol

from starlette.requests import Request

from clarion.contracts.api.problems import FieldError
from clarion.security.bearer import presented
from clarion.security.tokens import Claims, KeysUnavailable, TokenError
from clarion.web.problem_responses import RETRY_AFTER_S, Refused


class TokenCheck(Protocol):
    """Checks tokens: a `Verifier`, alone or with what is known of revocations."""

    async def verify(self, token: str) -> Claims:
        """Return the claims of a good token. Raise `TokenError`, or `KeysUnavailable` when that cannot be told now."""
        ...


async def caller(request: Request, check: TokenCheck, *scopes: str) -> Claims:
    """Return the claims of the caller, whose token must have one of `scopes`.

    Raise `Refused`: 401, 403, or 503 while it cannot be told whether the token is good.
    """
    try:
        token = presented(request.headers.get("authorization", ""), (), request.url.query)
        if not token:
            detail = "the token is missing: send `Authorization: Bearer <token>`"
            raise Refused(401, detail, headers={"WWW-Authenticate": "Bearer"})
        claims = await check.verify(token)
    except TokenError as error:
        raise Refused(401, str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error
    except KeysUnavailable as error:
        raise Refused(503, str(error), headers={"Retry-After": str(RETRY_AFTER_S)}) from error
    if not any(map(claims.may, scopes)):
        lacking = scopes[0]
        challenge = f'Bearer error="insufficient_scope", scope="{lacking}"'
        error = FieldError("", "scope", f"the token's scope lacks `{lacking}`", lacking)
        raise Refused(
            403, "the token does not allow this request", errors=[error], headers={"WWW-Authenticate": challenge}
        )
    return claims
