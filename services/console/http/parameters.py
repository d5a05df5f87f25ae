"""Read the parameters of a list from a request's address."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from clarion.contracts.api.problems import field_error
from clarion.web.problem_responses import Refused

T = TypeVar("T", bound=msgspec.Struct)


def parameters_of(request: Request, kind: type[T]) -> T:
    """Return the parameters as a struct. Raise `Refused` (422), which names the one that is wrong."""
    try:
        return msgspec.convert(dict(request.query_params), kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(422, "a parameter is invalid: see errors", errors=[field_error(error)]) from error
