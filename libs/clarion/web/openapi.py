"""The parts of which every door's OpenAPI 3.1 document is made, and the route of such a document."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import clarion
from clarion.contracts.api.problems import MEDIA_TYPE
from clarion.web.bodies import JSON

Schema = dict[str, Any]


def document(title: str, paths: Schema, schemas: Schema) -> Schema:
    """A document whose every operation wants a bearer token."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": clarion.__version__},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def served(path: str, described: Schema) -> Route:
    """A route that tells the document; it is encoded once."""
    encoded = msgspec.json.encode(described)

    async def tell(_: Request) -> Response:
        return Response(encoded, media_type=JSON)

    return Route(path, tell)


def schema_of_any(kind: type) -> Schema:
    """Msgspec's `schema_hook`: it has no schema for a value of `data`."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def body(media_type: str, schema: Schema, limit: int) -> Schema:
    return {"required": True, "description": f"At most {limit} bytes.", "content": {media_type: {"schema": schema}}}


def answer(text: str, media_type: str, schema: Schema) -> Schema:
    return {"description": text, "content": {media_type: {"schema": schema}}}


def problems(texts: Mapping[int, str], schema: Schema) -> Schema:
    """Responses by status: what each means."""
    return {str(status): _problem(status, text, schema) for status, text in texts.items()}


def _problem(status: int, text: str, schema: Schema) -> Schema:
    found = answer(text, MEDIA_TYPE, schema)
    if status in (429, 503):
        found["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found
