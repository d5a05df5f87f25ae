"""Reads a request's body within limits: of its type, its size, its time, and of what this process may hold."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from clarion.contracts.api.problems import FieldError, field_error
from clarion.web.budget import Budget
from clarion.web.problem_responses import Refused

JSON: Final = "application/json"
READ_WITHIN_S: Final = 10.0

_T = TypeVar("_T")


@asynccontextmanager
async def body_of(request: Request, media_type: str, limit: int, budget: Budget) -> AsyncGenerator[bytes]:
    """Read a request's body, which counts against the budget while the block runs.

    Never hold more than `limit` bytes and one chunk. Raise `Refused` (408, 413, 415) or `Full`.
    """
    _check_type(request, media_type)
    if int(request.headers.get("content-length", "0")) > limit:  # the parser lets only digits through
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for chunk in request.stream():
                if len(body) + len(chunk) > limit:
                    raise _too_large(limit)
                budget.hold(len(chunk))
                body += chunk
        yield bytes(body)
    except TimeoutError as error:
        raise Refused(408, f"the body did not arrive within {READ_WITHIN_S:g} s") from error
    finally:
        budget.release(len(body))


async def json_of(request: Request, kind: type[_T], limit: int, budget: Budget) -> _T:
    """Read and decode a request's body. Raise what `body_of` raises, or `Refused` (400, 422), which names the field."""
    async with body_of(request, JSON, limit, budget) as body:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise Refused(422, "the body is invalid: see errors", errors=[field_error(error)]) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(400, "the body is not valid JSON", errors=[field_error(error)]) from error


def _check_type(request: Request, media_type: str) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != media_type:
        detail = f"the content type is not supported: send `content-type: {media_type}`"
        raise Refused(415, detail, headers={"Accept": media_type})
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        detail = "a `content-encoding` is not supported: send the body as it is, without that header"
        raise Refused(415, detail, headers={"Accept-Encoding": "identity"})


def _too_large(limit: int) -> Refused:
    error = FieldError("", "too_large", f"the body may have at most {limit} bytes", limit)
    return Refused(413, "the body is too large", errors=[error])
