"""Makes the OpenAPI 3.1 document of the gateway's HTTP from the structs that it decodes and encodes."""

from typing import Any, Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.api import streams
from clarion.contracts.api.inbox import InboxPage, Marked, ReadAll, Unread
from clarion.contracts.api.problems import Problem
from clarion.contracts.api.streams import StreamAck, StreamClose
from clarion.web import openapi
from clarion.web.bodies import JSON
from clarion.web.openapi import answer, body, problems, schema_of_any
from services.gateway.http.disconnect import Disconnected
from services.gateway.http.inbox_routes import MARKS

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
_LISTENING: Final = {
    403: "The origin is not in CLARION_ORIGINS.",
    429: "Too many connections from this address. See `Retry-After`.",
    503: "The gateway is full, drains, or too many clients connect right now. See `Retry-After`.",
}
_ACKNOWLEDGING: Final = _MARKING | {
    404: "There is no such stream: begin a new one.",
    429: "Too many of one user in a second. See `Retry-After`.",
    503: "The stream is at another gateway and Kafka does not answer, or this process is full. See `Retry-After`.",
}
_STREAM: Final = f"""\
For clients that cannot use WebSocket: each event's data is a frame of `/asyncapi.json`, of those a gateway sends. To be
read by fetch, with the token in the Authorization header. Each `batch` and each `ping` is answered by a POST to
`{streams.ACK_PATH}`, at any gateway; marks go to `/v1/inbox/…`. The last event is named `close`, with a `StreamClose`:
the codes and what they ask of a client are those of the socket, also for a token that is refused."""
_SUMMARIES: Final = {
    "read": "Mark notifications as read.",
    "unread": "Mark notifications as unread.",
    "archive": "Take notifications out of the inbox, into the archive; they count as read.",
    "unarchive": "Take notifications back from the archive, as read.",
}


def document() -> dict[str, Any]:
    """Return the document, to be encoded as JSON."""
    references, schemas = msgspec.json.schema_components(
        [InboxPage, Unread, Marked, ReadAll, Disconnected, StreamAck, StreamClose, Problem],
        ref_template="#/components/schemas/{name}",
        schema_hook=schema_of_any,
    )
    page, unread, marked, read_all, disconnected, stream_ack, _, problem = references
    asking = problems(_ALWAYS, problem)
    paths: dict[str, Any] = {
        "/v1/inbox": {
            "get": {
                "operationId": "inbox",
                "summary": "A page of the caller's inbox, newest first, by `available_at`.",
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
    paths[streams.PATH] = {
        "get": {
            "operationId": "stream",
            "summary": "The caller's notifications, live and pending, as Server-Sent Events.",
            "description": _STREAM,
            "parameters": [_parameter("resume", "The `resume` frame, as JSON; fresh without.", {"type": "string"})],
            "responses": {
                "200": answer("Events, without an end.", streams.MEDIA_TYPE, {"type": "string"}),
                **problems(_LISTENING, problem),
            },
        }
    }
    paths[streams.ACK_PATH] = {
        "post": {
            "operationId": "acknowledge",
            "summary": "Everything on a stream up to `tag` is handled, and its client is there.",
            "description": "What is wrong with it is said on the stream. To be repeated without harm.",
            "requestBody": body(JSON, stream_ack, streams.ACK_BYTES),
            "responses": {"202": {"description": "Taken."}, **problems(_ACKNOWLEDGING, problem)},
        }
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
