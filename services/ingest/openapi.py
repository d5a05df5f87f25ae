"""Build the OpenAPI 3.1 document of ingest from the structs that decode its requests and encode its answers."""

from typing import Any, Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.api.problems import Problem
from clarion.contracts.api.status import Status
from clarion.contracts.records.notification import Submission
from clarion.web import openapi
from clarion.web.openapi import answer, body, problems
from services.ingest.batch import LineResult


class Accepted(msgspec.Struct, omit_defaults=True):
    """What was accepted: the `id` for a `recipient`, or the `ids` for `recipients`, in their order."""

    id: str | None = None
    ids: list[str] | None = None


_PROBLEMS: Final = {
    400: "The body is not JSON.",
    401: "The token is missing, expired or not valid.",
    403: "The token does not allow publishing, or not for this sender.",
    408: "The body did not arrive in time.",
    413: "The body is too large; `errors` names the limit.",
    415: "The content type is not supported.",
    422: "Some fields are invalid; `errors` names each with its limit.",
    429: "The sender publishes more than it may. See `Retry-After`; in a batch, only the lines above the limit fail.",
    503: "Kafka is down or did not acknowledge in time, or this process is full. See `Retry-After`.",
}
_ASKING: Final = {status: _PROBLEMS[status] for status in (401, 403)} | {
    404: "The caller has no such notification, or it is not stored yet.",
    503: "MongoDB or Kafka does not answer. See `Retry-After`.",
}
_RETRACTING: Final = {
    404: "The notification is another sender's.",
    429: "The sender publishes, or retracts what is not stored yet, more often than it may. See `Retry-After`.",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of ingest."""
    references, schemas = msgspec.json.schema_components(
        [Submission, Accepted, LineResult, Status, Problem], ref_template="#/components/schemas/{name}"
    )
    submission, accepted, line, status, problem = references
    publishing, asking = problems(_PROBLEMS, problem), problems(_ASKING, problem)
    paths = {
        "/v1/notifications": {
            "post": {
                "operationId": "publish",
                "summary": "Publish a notification to one recipient, or to many.",
                "description": "The answer 202 comes only after every in-sync replica of Kafka has the notification.",
                "parameters": [
                    _idempotency_key(
                        "The same key makes the same ids, so a repeated request publishes nothing twice. "
                        "A request to `recipient` and one to `recipients` make different ids."
                    )
                ],
                "requestBody": body("application/json", submission, limits.BODY_BYTES),
                "responses": {"202": answer("Kafka has the notification.", "application/json", accepted), **publishing},
            }
        },
        "/v1/notifications/batch": {
            "post": {
                "operationId": "publishBatch",
                "summary": f"Publish up to {limits.BATCH_LINES} notifications, one a line, each to one recipient.",
                "description": (
                    "Each line has a result of its own. Empty lines are skipped, but counted. To send only the lines "
                    "with `retry_after` again, under the same key, leave the other lines empty. `Retry-After` is the "
                    "longest `retry_after`."
                ),
                "parameters": [
                    _idempotency_key(
                        "The key and the number of a line make the id of that line. A request with one notification "
                        "makes another id with the same key."
                    )
                ],
                "requestBody": body("application/x-ndjson", submission, limits.BATCH_BYTES),
                "responses": {
                    "200": answer("Each line is the result of a line.", "application/x-ndjson", line),
                    **publishing,
                },
            }
        },
        "/v1/notifications/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "status",
                "summary": "Tell a notification's state to its sender, or to a caller with the scope `publish:any`.",
                "responses": {"200": answer("The state of the notification.", "application/json", status), **asking},
            },
            "delete": {
                "operationId": "retract",
                "summary": "Take a notification back, as its sender or with the scope `publish:any`.",
                "description": (
                    "A notification that is scheduled or on its way is not delivered. One that is pending or delivered "
                    "becomes `retracted` and leaves its user's devices. One that has ended in another way stays as it "
                    "is. An id of which nothing is stored yet is accepted as well, for each sender "
                    f"{limits.UNFOUND_PER_S} a second and {limits.UNFOUND_BURST} at once: the notification is "
                    "retracted when it comes, if it is the same sender's. The request may be repeated."
                ),
                "responses": {
                    "202": answer("The retraction is accepted.", "application/json", accepted),
                    **asking,
                    **problems(_RETRACTING, problem),
                },
            },
        },
    }
    return openapi.document("Clarion ingest", paths, schemas)


def _idempotency_key(text: str) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": text,
        "schema": {"type": "string", "minLength": 1, "maxLength": limits.IDEMPOTENCY_KEY_CHARS},
    }
