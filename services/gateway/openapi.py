"""The OpenAPI 3.1 document of the gateway's HTTP, built from the structs that it decodes and encodes."""

from typing import Any, Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.inbox import InboxPage, Marked, ReadAll, Unread
from clarion.contracts.problems import Problem
from clarion.web import openapi
from clarion.web.bodies import JSON
from clarion.web.openapi import answer, body, problems, schema_of_any
from services.gateway.disconnect import Disconnected
from services.gateway.inbox_routes import MARKS

_ALWAYS: Final = {
    401: "No token, or one that is expired or not valid.",
    403: "The token's scope lacks `subscribe`.",
    503: "MongoDB does not answer, or this process is full. See `Retry-After`.",
}
_PAGING: Final = _ALWAYS | {422: "An invalid parameter; `errors` names it with its limit."}
_MARKING: Final = _ALWAYS | {
    400: "Not JSON.",
    408: "The body did not arrive in time.",
    413: "Too large; `errors` names the limit.",
    415: "Another content type.",
    422: "Invalid fields; `errors` names each with its limit.",
}
_DISCONNECTING: Final = _ALWAYS | {403: "The token's scope lacks `operate`.", 422: "No user has that name."}
_SUMMARIES: Final = {
    "read": "Mark notifications as read.",
    "unread": "Mark notifications as unread.",
    "archive": "Take notifications out of the inbox, into the archive; they count as read.",
    "unarchive": "Take notifications back from the archive, as read.",
}


def document() -> dict[str, Any]:
    references, schemas = msgspec.json.schema_components(
        [InboxPage, Unread, Marked, ReadAll, Disconnected, Problem],
        ref_template="#/components/schemas/{name}",
        schema_hook=schema_of_any,
    )
    page, unread, marked, read_all, disconnected, problem = references
    asking = problems(_ALWAYS, problem)
    paths: dict[str, Any] = {
        "/v1/inbox": {
            "get": {
                "operationId": "inbox",
                "summary": "A page of the caller's inbox, newest first.",
                "description": (
                    "What is pending, delivered, read or over its recipient's limit; not what is retracted, expired, "
                    f"superseded, scheduled or archived. A page above {limits.INBOX_PAGE_BYTES} bytes ends early."
                ),
                "parameters": [
                    _parameter("cursor", "`next` of the page before; the newest without.", {"type": "string"}),
                    _parameter(
                        "limit",
                        "How many, at most.",
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": limits.INBOX_PAGE_MOST,
                            "default": limits.INBOX_PAGE,
                        },
                    ),
                    _parameter("unread", "Only what is unread.", {"type": "boolean", "default": False}),
                    _parameter("archived", "The archive instead.", {"type": "boolean", "default": False}),
                ],
                "responses": {"200": answer("The page.", JSON, page), **problems(_PAGING, problem)},
            }
        },
        "/v1/inbox/count": {
            "get": {
                "operationId": "unreadCount",
                "summary": f"How many are unread, counted up to {limits.UNREAD_CAP}.",
                "responses": {"200": answer("The count.", JSON, unread), **asking},
            }
        },
        "/v1/inbox/read-all": {
            "post": {
                "operationId": "readAll",
                "summary": "Mark everything as read.",
                "description": f"Up to {limits.READ_ALL_BATCHES * limits.IDS_PER_FRAME:,}: again while `more` is true.",
                "responses": {"200": answer("The count afterwards.", JSON, read_all), **asking},
            }
        },
    }
    paths["/v1/users/{user}/disconnect"] = {
        "parameters": [{"name": "user", "in": "path", "required": True, "schema": {"type": "string"}}],
        "post": {
            "operationId": "disconnect",
            "summary": "Close a user's connections and refuse the tokens issued until now, at every gateway.",
            "responses": {
                "202": answer("From when on tokens are good again.", JSON, disconnected),
                **problems(_DISCONNECTING, problem),
            },
        },
    }
    for verb in MARKS:
        paths[f"/v1/inbox/{verb}"] = {
            "post": {
                "operationId": verb,
                "summary": _SUMMARIES[verb],
                "description": "Stored when it is answered, then told to all devices. To be repeated without harm.",
                "requestBody": body(JSON, marked, limits.MARKED_BYTES),
                "responses": {"200": answer("The count afterwards.", JSON, unread), **problems(_MARKING, problem)},
            }
        }
    return openapi.document("Clarion gateway", paths, schemas)


def _parameter(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}
