"""The document that describes the gateway's HTTP."""

import msgspec

from services.gateway.http.openapi import document


def test_the_document_knows_every_path_and_what_it_refers_to() -> None:
    found = document()
    inbox = ("", "/count", "/read", "/unread", "/archive", "/unarchive", "/read-all")
    others = {"/v1/users/{user}/disconnect", "/v1/stream", "/v1/stream/ack"}
    assert set(found["paths"]) == others | {f"/v1/inbox{path}" for path in inbox}
    text = msgspec.json.encode(found).decode()
    names = {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}
    assert names <= set(found["components"]["schemas"])


def test_every_request_to_the_inbox_may_be_answered_429() -> None:
    asked = {path: methods for path, methods in document()["paths"].items() if path.startswith("/v1/inbox")}
    answers = {
        f"{method} {path}": one["responses"] for path, methods in asked.items() for method, one in methods.items()
    }
    assert len(answers) == 7
    assert [name for name, found in answers.items() if "429" not in found] == []
    assert all("Retry-After" in found["429"]["headers"] for found in answers.values())
