"""The parts of which each service's OpenAPI 3.1 document is made, and the route that serves it."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import clarion
from clarion.contracts.api.problems import MEDIA_TYPE
from clarion.web.bodies import JSON

Schema = dict[str, Any]


def document(title: str, paths: Schema, schemas: Schema) -> Schema:
    """Return a document in which each operation needs a bearer token."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": clarion.__version__},
        # relative to this document, so that paths lead to the service below a proxy's prefix as well
        "servers": [{"url": "."}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def served(path: str, described: Schema) -> Route:
    """Return a route that serves a document, which is encoded once."""
    encoded = msgspec.json.encode(_with_plain_texts(described))

    async def tell(_: Request) -> Response:
        return Response(encoded, media_type=JSON)

    return Route(path, tell)


def _with_plain_texts(described: Any) -> Any:
    """Return a document without indented descriptions: docstrings have them, and Markdown would show code."""
    match described:
        case dict():
            parts = cast("dict[str, Any]", described)
            return {
                name: cleandoc(part) if name == "description" and isinstance(part, str) else _with_plain_texts(part)
                for name, part in parts.items()
            }
        case list():
            return [_with_plain_texts(part) for part in cast("list[Any]", described)]
        case _:
            return described


def schema_of_any(kind: type) -> Schema:
    """Return the schema of a value of `data`, for which msgspec has none: its `schema_hook`."""
    if kind is object:
        return {"description": "Any JSON value is allowed."}
    raise NotImplementedError


def body(media_type: str, schema: Schema, limit: int) -> Schema:
    """Return the description of a request's body; `limit` is in bytes."""
    return {
        "required": True,
        "description": f"The body may have at most {limit} bytes.",
        "content": {media_type: {"schema": schema}},
    }


def answer(text: str, media_type: str, schema: Schema) -> Schema:
    """Return the description of an answer; `text` says what it means."""
    return {"description": text, "content": {media_type: {"schema": schema}}}


def problems(texts: Mapping[int, str], schema: Schema) -> Schema:
    """Return the descriptions of errors by status; `texts` say what each means."""
    return {str(status): _problem(status, text, schema) for status, text in texts.items()}


def _problem(status: int, text: str, schema: Schema) -> Schema:
    found = answer(text, MEDIA_TYPE, schema)
    if status in (429, 503):
        found["headers"] = {
            "Retry-After": {
                "description": "After how many seconds the request may be repeated.",
                "schema": {"type": "integer"},
            }
        }
    return found
