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
    401: "The token is missing, expired or not valid.",
    403: "The token's scope lacks `subscribe`.",
    503: "MongoDB does not answer, or this process is full. See `Retry-After`.",
}
_ASKING: Final = _ALWAYS | {429: "The user, or the address, asks for too much at once. See `Retry-After`."}
_PAGING: Final = _ASKING | {422: "A parameter is invalid; `errors` names it with its limit."}
_MARKING: Final = _ASKING | {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large; `errors` names the limit.",
    415: "The content type is not supported.",
    422: "Some fields are invalid; `errors` names each with its limit.",
}
_DISCONNECTING: Final = _ALWAYS | {
    403: "The token's scope lacks `operate`.",
    422: "The user's name in the path is not valid.",
}
_LISTENING: Final = {
    403: "The page's origin is not in CLARION_ORIGINS.",
    429: "The address has too many connections, or opens them too fast. See `Retry-After`.",
    503: "The gateway is full or not ready, or too many clients connect at the moment. See `Retry-After`.",
}
_ACKNOWLEDGING: Final = _MARKING | {
    404: "The stream does not exist: open a new one.",
    429: "The user sends too many acknowledgements a second. See `Retry-After`.",
    503: "The stream is at another gateway and Kafka does not answer, or this process is full. See `Retry-After`.",
}
_STREAM: Final = f"""\
The stream is for clients that cannot use a WebSocket. The data of each event is a frame that a gateway sends, as
`/asyncapi.json` describes it. A client reads the stream by fetch, with the token in the Authorization header. It
answers each `batch` and each `ping` by a POST to `{streams.ACK_PATH}` at any gateway, and sends marks to
`/v1/inbox/…`. The last event is named `close` and has a `StreamClose`. Its codes, and what they ask of a client, are
those of the socket, also when the token is refused."""
_SUMMARIES: Final = {
    "read": "Mark notifications as read.",
    "unread": "Mark notifications as unread.",
    "archive": "Move notifications from the inbox to the archive; they count as read.",
    "unarchive": "Move notifications from the archive back to the inbox; they count as read.",
}


def document() -> dict[str, Any]:
    """Return the document, to be encoded as JSON."""
    references, schemas = msgspec.json.schema_components(
        [InboxPage, Unread, Marked, ReadAll, Disconnected, StreamAck, StreamClose, Problem],
        ref_template="#/components/schemas/{name}",
        schema_hook=schema_of_any,
    )
    page, unread, marked, read_all, disconnected, stream_ack, _, problem = references
    asking = problems(_ASKING, problem)
    paths: dict[str, Any] = {
        "/v1/inbox": {
            "get": {
                "operationId": "inbox",
                "summary": "Return a page of the caller's inbox, newest first, by `available_at`.",
                "description": (
                    "The inbox has notifications that are pending, delivered, read or throttled, and none that are "
                    "retracted, expired, collapsed, scheduled or archived. A page above "
                    f"{limits.INBOX_PAGE_BYTES} bytes ends early."
                ),
                "parameters": [
                    _parameter(
                        "cursor",
                        "The `next` of the page before. Without it, the page begins at the newest notification.",
                        {"type": "string"},
                    ),
                    _parameter(
                        "limit",
                        "How many notifications the page has at most.",
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": limits.INBOX_PAGE_MOST,
                            "default": limits.INBOX_PAGE,
                        },
                    ),
                    _parameter(
                        "unread",
                        "Whether the page has unread notifications only.",
                        {"type": "boolean", "default": False},
                    ),
                    _parameter(
                        "archived",
                        "Whether the page is of the archive, and not of the inbox.",
                        {"type": "boolean", "default": False},
                    ),
                ],
                "responses": {"200": answer("The page.", JSON, page), **problems(_PAGING, problem)},
            }
        },
        "/v1/inbox/count": {
            "get": {
                "operationId": "unreadCount",
                "summary": f"Return how many notifications are unread, counted up to {limits.UNREAD_CAP}.",
                "responses": {"200": answer("The number of unread notifications.", JSON, unread), **asking},
            }
        },
        "/v1/inbox/read-all": {
            "post": {
                "operationId": "readAll",
                "summary": "Mark all notifications as read.",
                "description": (
                    f"A request marks up to {limits.READ_ALL_BATCHES * limits.IDS_PER_FRAME:,} notifications: "
                    "repeat it while `more` is true."
                ),
                "responses": {
                    "200": answer("The number of unread notifications afterwards.", JSON, read_all),
                    **asking,
                },
            }
        },
    }
    paths["/v1/users/{user}/disconnect"] = {
        "parameters": [{"name": "user", "in": "path", "required": True, "schema": {"type": "string"}}],
        "post": {
            "operationId": "disconnect",
            "summary": "Close a user's connections, and refuse all tokens that were issued until now.",
            "responses": {
                "202": answer("The time from which on issued tokens are accepted again.", JSON, disconnected),
                **problems(_DISCONNECTING, problem),
            },
        },
    }
    paths[streams.PATH] = {
        "get": {
            "operationId": "stream",
            "summary": "Stream the caller's notifications, pending and new ones, as Server-Sent Events.",
            "description": _STREAM,
            "parameters": [
                _parameter(
                    "resume",
                    "The `resume` frame as JSON. Without it, the client is taken for a fresh one.",
                    {"type": "string"},
                )
            ],
            "responses": {
                "200": answer("An event stream without an end.", streams.MEDIA_TYPE, {"type": "string"}),
                **problems(_LISTENING, problem),
            },
        }
    }
    paths[streams.ACK_PATH] = {
        "post": {
            "operationId": "acknowledge",
            "summary": "Acknowledge everything that was sent on a stream up to `tag`, or answer a `ping`.",
            "description": "Errors of an acknowledgement come on the stream. The request may be repeated.",
            "requestBody": body(JSON, stream_ack, streams.ACK_BYTES),
            "responses": {
                "202": {"description": "The acknowledgement is accepted."},
                **problems(_ACKNOWLEDGING, problem),
            },
        }
    }
    for verb in MARKS:
        paths[f"/v1/inbox/{verb}"] = {
            "post": {
                "operationId": verb,
                "summary": _SUMMARIES[verb],
                "description": "The mark is stored before the answer, and sent to all devices. It may be repeated.",
                "requestBody": body(JSON, marked, limits.MARKED_BYTES),
                "responses": {
                    "200": answer("The number of unread notifications afterwards.", JSON, unread),
                    **problems(_MARKING, problem),
                },
            }
        }
    return openapi.document("Clarion gateway", paths, schemas)


def _parameter(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}
