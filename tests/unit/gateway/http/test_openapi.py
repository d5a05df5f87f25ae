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
