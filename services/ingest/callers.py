"""Who asks, and whether they may publish."""

from starlette.requests import Request

from clarion.contracts.problems import FieldError
from clarion.security.tokens import PUBLISH, PUBLISH_ANY, Claims, KeysUnavailable, TokenError, Verifier
from services.ingest.problem_responses import Refused


async def publisher(request: Request, verifier: Verifier) -> Claims:
    """Raises `Refused`: 401, 403, or 503 while the key set cannot be fetched."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "send Authorization: Bearer <token>", headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = await verifier.verify(token.strip())
    except TokenError as error:
        raise Refused(401, str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error
    except KeysUnavailable as error:
        raise Refused(503, str(error), headers={"Retry-After": "2"}) from error
    if not claims.may(PUBLISH) and not claims.may(PUBLISH_ANY):
        challenge = f'Bearer error="insufficient_scope", scope="{PUBLISH}"'
        error = FieldError("", "scope", f"the token's scope lacks `{PUBLISH}`", PUBLISH)
        raise Refused(
            403, "the token does not allow to publish", errors=[error], headers={"WWW-Authenticate": challenge}
        )
    return claims
