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
    400: "Not JSON.",
    401: "No token, or one that is expired or not valid.",
    403: "The token may not publish, or not for this sender.",
    408: "The body did not arrive in time.",
    413: "Too large; `errors` names the limit.",
    415: "Another content type.",
    422: "Invalid fields; `errors` names each with its limit.",
    429: "More than the sender may publish. See `Retry-After`; in a batch, the lines beyond it have this status.",
    503: "Kafka is down or did not acknowledge in time, or this process is full. See `Retry-After`.",
}
_ASKING: Final = {status: _PROBLEMS[status] for status in (401, 403)} | {
    404: "No such notification of this sender, or it is not stored yet.",
    503: "MongoDB or Kafka does not answer. See `Retry-After`.",
}
_RETRACTING: Final = {
    404: "It is another sender's.",
    429: "More than the sender may publish, or more than it may retract of what is not found. See `Retry-After`.",
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
                "description": "202 comes only after every in-sync replica of Kafka has it.",
                "parameters": [
                    _idempotency_key(
                        "the same key makes the same ids, so a repeat is not a copy; "
                        "`recipient` and `recipients` make different ones"
                    )
                ],
                "requestBody": body("application/json", submission, limits.BODY_BYTES),
                "responses": {"202": answer("Accepted.", "application/json", accepted), **publishing},
            }
        },
        "/v1/notifications/batch": {
            "post": {
                "operationId": "publishBatch",
                "summary": f"Publish up to {limits.BATCH_LINES} notifications, one a line, each to one recipient.",
                "description": (
                    "Each line has a result of its own. Empty lines are passed over, but counted. "
                    "Lines with `retry_after` may be sent again, under the same key, the others blanked; "
                    "`Retry-After` is the longest of them."
                ),
                "parameters": [
                    _idempotency_key(
                        "with the line's number it makes that line's id, which no key of a single request makes"
                    )
                ],
                "requestBody": body("application/x-ndjson", submission, limits.BATCH_BYTES),
                "responses": {"200": answer("A result a line.", "application/x-ndjson", line), **publishing},
            }
        },
        "/v1/notifications/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "status",
                "summary": "What became of a notification. Its sender may ask, or `publish:any`.",
                "responses": {"200": answer("Where it stands.", "application/json", status), **asking},
            },
            "delete": {
                "operationId": "retract",
                "summary": "Take a notification back. Its sender may, or `publish:any`.",
                "description": (
                    "What is on its way or scheduled is not delivered; what is pending or delivered becomes "
                    "`retracted` and leaves its user's devices; what ended otherwise stays as it is. An id under which "
                    f"nothing is found yet is accepted, too, {limits.UNFOUND_PER_S} a second and "
                    f"{limits.UNFOUND_BURST} at once: it retracts what comes later, if it is of the same sender. To be "
                    "repeated without harm."
                ),
                "responses": {
                    "202": answer("To be retracted.", "application/json", accepted),
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
