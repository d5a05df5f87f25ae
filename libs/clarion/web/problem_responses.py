"""Answers every error as `application/problem+json` (RFC 9457)."""

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from clarion.contracts.api.problems import MEDIA_TYPE, FieldError, problem_of
from clarion.telemetry import metrics
from clarion.web.budget import Full

RETRY_AFTER_S: Final = 2


class Refused(HTTPException):
    """A request is refused with this status; `errors` name the wrong fields."""

    def __init__(
        self, status: int, detail: str, *, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.errors: Final = errors


class Unavailable(Exception):
    """A dependency does not answer now. The message says whether what was asked for may still happen."""


def problem(
    status: int, detail: str, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None
) -> Response:
    """Return an answer with problem details, and count it."""
    metrics.refused.labels(status).inc()
    return Response(msgspec.json.encode(problem_of(status, detail, errors)), status, headers, MEDIA_TYPE)


def unavailable(detail: str) -> Response:
    """Return a 503 with Retry-After."""
    return problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    errors = error.errors if isinstance(error, Refused) else ()
    return problem(error.status_code, error.detail, errors, dict(error.headers or {}))


def _unavailable(_: Request, error: Exception) -> Response:
    return unavailable(str(error))


def _full(_: Request, __: Exception) -> Response:
    metrics.rate_limited.labels("requests").inc()
    return unavailable("this process has too many requests in hand, and nothing was done: try again later")


def _gone(_: Request, __: Exception) -> Response:
    return problem(400, "the body ended before it was complete")  # the client is gone, so nobody reads this


def _unexpected(_: Request, __: Exception) -> Response:
    """Return a 500 that tells nothing of the exception, which may hold secrets; the server logs it."""
    return problem(500, "an unexpected error occurred, and the request may have been carried out or not")


HANDLERS: Final[dict[int | type[Exception], ExceptionHandler]] = {
    HTTPException: _http,
    Unavailable: _unavailable,
    Full: _full,
    ClientDisconnect: _gone,
    Exception: _unexpected,
}
