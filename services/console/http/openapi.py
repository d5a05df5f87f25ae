"""Build the OpenAPI 3.1 document of the console from the structs that decode its requests and encode its answers."""

from typing import Any, Final, get_args

import msgspec

from clarion.contracts import limits
from clarion.contracts.api import streams
from clarion.contracts.api.audit_log import AuditPage
from clarion.contracts.api.dead_letters import Chosen, Details, Edit, Page, Purged, Results
from clarion.contracts.api.problems import Problem
from clarion.contracts.records.dead_letters import Reason
from clarion.operating.dead_letters.choosing import Shown
from clarion.operating.overview.schema import Charts, Overview
from clarion.operating.trace.story import Told
from clarion.settings import Settings
from clarion.store.queries.user_overview import UserOverview
from clarion.web import openapi
from clarion.web.bodies import JSON
from clarion.web.openapi import Schema, answer, body, problems
from services.console.documents import sources

_PROBLEMS: Final = {
    401: "The token is missing, expired or not valid.",
    403: "The token lacks the scope `operate`.",
    422: "Some fields or parameters are invalid; `errors` names each with its limit.",
    503: "MongoDB or Kafka does not answer, or this process is full. See `Retry-After`.",
}
_OF_BODIES: Final = _PROBLEMS | {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large; `errors` names the limit.",
    415: "The content type is not supported.",
}
_ASKED: Final = {401: _PROBLEMS[401], 403: _PROBLEMS[403], 503: "No process was asked yet, or this process is full."}
_UNKNOWN: Final = {404: "There is no such dead letter; it may have been purged."}
_BUSY: Final = {409: "The letter is being replayed, or that was interrupted."}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the console."""
    references, schemas = msgspec.json.schema_components(
        [Page, Details, Edit, Chosen, Results, Purged, AuditPage, Overview, Charts, Told, UserOverview, Problem],
        ref_template="#/components/schemas/{name}",
        schema_hook=openapi.schema_of_any,
    )
    page, details, edit, chosen, results, purged, audit, overview, charts, told, user, problem = references
    asking, changing = problems(_PROBLEMS, problem), problems(_OF_BODIES, problem)
    unknown = problems(_UNKNOWN, problem)
    paths = {
        **_overview(overview, charts, problems(_ASKED, problem)),
        **_look_ups(told, user, asking),
        "/v1/dead-letters": {
            "get": {
                "operationId": "listDeadLetters",
                "summary": "List dead letters, newest first.",
                "parameters": [
                    *_filter(),
                    _parameter("state", "Which letters to list.", {"enum": list(get_args(Shown)), "default": "kept"}),
                    *_paging(limits.DEAD_LETTERS_PAGE, limits.DEAD_LETTERS_MOST),
                ],
                "responses": {"200": answer("A page of dead letters.", JSON, page), **asking},
            }
        },
        "/v1/dead-letters/{id}": {
            "parameters": [
                _in_path("id", "The id, or the place topic/partition/offset of the record."),
            ],
            "get": {
                "operationId": "showDeadLetter",
                "summary": "Show a dead letter with its content and its history.",
                "responses": {"200": answer("The dead letter.", JSON, details), **asking, **unknown},
            },
            "patch": {
                "operationId": "editDeadLetter",
                "summary": "Change what replays of a dead letter send. The original is kept, and nothing is sent yet.",
                "requestBody": body(JSON, edit, limits.EDIT_BYTES),
                "responses": {
                    "200": answer("The dead letter as it is now.", JSON, details),
                    **changing,
                    **unknown,
                    **problems(_BUSY, problem),
                },
            },
        },
        "/v1/dead-letters/replay": {
            "post": {
                "operationId": "replayDeadLetters",
                "summary": "Send dead letters to their topics again, the oldest first.",
                "description": (
                    "The request may be repeated. A letter that died again "
                    f"{limits.REPLAYS_BY_FILTER} times is passed over unless its id is given."
                ),
                "requestBody": body(JSON, chosen, limits.CHOICE_BYTES),
                "responses": {"200": answer("What became of each letter.", JSON, results), **changing},
            }
        },
        "/v1/dead-letters/purge": {
            "post": {
                "operationId": "purgeDeadLetters",
                "summary": "Delete dead letters, whether or not they were replayed. `again` has no effect.",
                "requestBody": body(JSON, chosen, limits.CHOICE_BYTES),
                "responses": {"200": answer("How many were deleted.", JSON, purged), **changing},
            }
        },
        "/v1/audit": {
            "get": {
                "operationId": "listAudit",
                "summary": f"List what operators did in the last {limits.AUDIT_DAYS} days, newest first.",
                "parameters": [
                    _parameter("who", "Only what this operator did.", {"type": "string"}),
                    _parameter("action", "Only this action, such as `dead_letters.replay`.", {"type": "string"}),
                    *_times("it began"),
                    *_paging(limits.AUDIT_PAGE, limits.AUDIT_PAGE_MOST),
                ],
                "responses": {"200": answer("A page of the audit log.", JSON, audit), **asking},
            }
        },
    }
    return openapi.document("Clarion console", paths, schemas)


def _overview(overview: Schema, charts: Schema, asked: Schema) -> Schema:
    return {
        "/v1/overview": {
            "get": {
                "operationId": "showOverview",
                "summary": "Show how the whole system does: its health, lanes, gateways, open troubles and processes.",
                "description": "It needs neither MongoDB nor Kafka.",
                "responses": {"200": answer("The overview, seconds old at most.", JSON, overview), **asked},
            }
        },
        "/v1/stream": {
            "get": {
                "operationId": "streamOverview",
                "summary": "Send the overview each time that the processes were asked, as Server-Sent Events.",
                "description": (
                    "The data of each event is an overview as JSON. The last event is called `close`, with a code and "
                    "a reason, such as a token that has ended. Comments in between tell that the stream lives."
                ),
                "responses": {
                    "200": answer("Events without an end.", streams.MEDIA_TYPE, {"type": "string"}),
                    **asked,
                },
            }
        },
        "/v1/charts": {
            "get": {
                "operationId": "showCharts",
                "summary": "Show the figures of the last hour, as this process has seen them since it began.",
                "responses": {"200": answer("The series and their points.", JSON, charts), **asked},
            }
        },
        "/v1/reference/{name}": {
            "parameters": [_in_path("name", "Which description.", {"enum": [*sources(Settings())]})],
            "get": {
                "operationId": "showReference",
                "summary": "Show how another service describes itself.",
                "responses": {
                    "200": answer("An OpenAPI or AsyncAPI document.", JSON, {"type": "object"}),
                    **asked,
                },
            },
        },
    }


def _look_ups(told: Schema, user: Schema, asking: Schema) -> Schema:
    return {
        "/v1/trace/{id}": {
            "parameters": [_in_path("id", "The id of the notification.")],
            "get": {
                "operationId": "traceNotification",
                "summary": "Tell what became of one notification. It takes up to 52 s, and is in the audit log.",
                "responses": {
                    "200": answer("Its story, also of an unknown one.", JSON, told),
                    **asking,
                },
            },
        },
        "/v1/users/{id}": {
            "parameters": [_in_path("id", "The user: the subject of the token.")],
            "get": {
                "operationId": "showUser",
                "summary": "Show a user's connections, and what is pending. It is in the audit log.",
                "responses": {"200": answer("What the store knows of the user.", JSON, user), **asking},
            },
        },
    }


def _filter() -> list[dict[str, Any]]:
    texts = {
        "topic": "Only of this topic, without the prefix.",
        "sender": "Only of this sender, where it is known.",
        "recipient": "Only for this recipient, where it is known.",
        "notification": "Only of the notification with this id.",
    }
    return [
        _parameter("reason", "Only what died for this reason.", {"enum": [reason.value for reason in Reason]}),
        *(_parameter(name, text, {"type": "string"}) for name, text in texts.items()),
        *_times("the last death was"),
    ]


def _times(what: str) -> list[dict[str, Any]]:
    moment = {"type": "string", "format": "date-time"}
    return [
        _parameter("since", f"Only if {what} at that time or later.", moment),
        _parameter("until", f"Only if {what} before that time.", moment),
    ]


def _paging(default: int, most: int) -> list[dict[str, Any]]:
    return [
        _parameter(
            "limit",
            "How many to return at most.",
            {"type": "integer", "minimum": 1, "maximum": most, "default": default},
        ),
        _parameter("cursor", "The `next` of the page before.", {"type": "string"}),
    ]


def _in_path(name: str, text: str, schema: Schema | None = None) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": schema or {"type": "string"},
    }


def _parameter(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}
