"""The AsyncAPI document: whole in itself, and of one mind with what decodes the frames."""

import json
import re
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, ValidationError

from clarion.contracts import limits
from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from services.gateway.http.asyncapi import document
from tests import schema_checks

ID = "019353f5-0f2a-7c11-8a5b-0123456789ab"


# What objects of an AsyncAPI 3.0 document must and may have, by their places: the specification's own tables.
FIELDS = {
    "": ("asyncapi info", "id servers defaultContentType channels operations components"),
    "info": ("title version", "description termsOfService contact license tags externalDocs"),
    "servers/*": (
        "host protocol",
        "protocolVersion pathname description title summary variables security tags externalDocs bindings",
    ),
    "servers/*/variables/*": ("", "enum default description examples"),
    "channels/*": ("", "address messages title summary description servers parameters tags externalDocs bindings"),
    "operations/*": (
        "action channel",
        "title summary description security tags externalDocs bindings traits messages reply",
    ),
    "components": ("", "schemas messages securitySchemes"),  # of those it may have, ours
    "components/messages/*": (
        "",
        "headers payload correlationId contentType name title summary description tags externalDocs bindings examples",
    ),
    "components/securitySchemes/*": ("type in name", "description"),  # of type httpApiKey
}


def test_references_lead_somewhere_and_close_codes_are_explained() -> None:
    whole, text = _written()
    found = set(re.findall(r'"\$ref":"#/([^"]+)"', text))
    assert "components/messages/batch" in found
    for reference in found:
        assert len(_at(whole, reference)) == 1, reference
    for code in Close:
        assert f"{code.value} " in whole["channels"]["socket"]["description"]


@pytest.mark.parametrize("place", FIELDS)
def test_every_part_has_what_it_must_and_nothing_that_it_may_not(place: str) -> None:
    must, may = (set(fields.split()) for fields in FIELDS[place])
    parts = _at(_written()[0], place)
    assert parts
    for part in parts:
        assert must <= set(part) <= must | may


def test_each_message_is_said_by_one_side_on_its_channel() -> None:
    whole, _ = _written()
    assert whole["asyncapi"] == "3.0.0"
    said: list[str] = []
    for operation in whole["operations"].values():
        messages, channel = [message["$ref"] for message in operation["messages"]], operation["channel"]["$ref"]
        assert all(message.startswith(f"{channel}/messages/") for message in messages)
        said += [message.rpartition("/")[2] for message in messages]
    assert sorted(operation["action"] for operation in whole["operations"].values()) == ["receive", "send"]
    assert sorted(said) == sorted(whole["channels"]["socket"]["messages"]) == sorted(whole["components"]["messages"])
    for op, message in whole["components"]["messages"].items():
        assert message["name"] == op
        [payload] = _at(whole, message["payload"]["$ref"].removeprefix("#/"))
        assert payload["properties"]["op"] == {"enum": [op]}
    for schema in whole["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)  # whose dialect AsyncAPI's own is a superset of


def _written() -> tuple[dict[str, Any], str]:
    text = msgspec.json.encode(document()).decode()
    return json.loads(text), text


def _at(whole: dict[str, Any], place: str) -> list[Any]:
    """What stands there; `*` is everything."""
    parts: list[Any] = [whole]
    for step in filter(None, place.split("/")):
        parts = [part[name] for part in parts for name in (part if step == "*" else [step])]
    return parts


@pytest.mark.parametrize(
    ("frame", "is_good"),
    [
        ({"op": "resume"}, True),
        ({"op": "resume", "cursors": {"urgent": [0, 7]}, "since": "2026-01-01T00:00:00.000Z"}, True),
        ({"op": "resume", "cursors": {"loud": [0, 7]}}, False),
        ({"op": "resume", "cursors": {"low": [1 << 15, 0]}}, False),
        ({"op": "resume", "cursors": {"low": [0, 1 << 48]}}, False),
        ({"op": "resume", "since": "x" * 41}, False),
        ({"op": "ack", "tag": 1}, True),
        ({"op": "ack", "tag": 0}, False),
        ({"op": "ack"}, False),
        ({"op": "ack", "tag": 1, "more": 1}, False),
        ({"op": "read", "ids": [ID]}, True),
        ({"op": "read", "ids": [ID + "\n"]}, False),
        ({"op": "unread", "ids": []}, False),
        ({"op": "archive", "ids": [ID] * (limits.IDS_PER_FRAME + 1)}, False),
        ({"op": "archive", "ids": ["x"]}, False),
        ({"op": "auth", "token": "x"}, True),
        ({"op": "auth", "token": "x" * (limits.HEADER_BYTES + 1)}, False),
        ({"op": "pong"}, True),
    ],
)
def test_the_document_takes_of_a_client_what_the_gateway_takes(frame: schema_checks.Frame, is_good: bool) -> None:
    try:
        frames.decode_client(json.dumps(frame).encode())
        taken = True
    except msgspec.DecodeError:
        taken = False
    try:
        schema_checks.check(frame, "receive")
        valid = True
    except ValidationError:
        valid = False
    assert taken is valid is is_good


def test_a_batch_whose_item_is_not_one_is_found_out() -> None:
    item: dict[str, Any] = {
        "id": ID,
        "type": "t",
        "message": "m",
        "sender": "s",
        "data": {},
        "created_at": "now",
        "lane": "urgent",
    }
    batch: dict[str, Any] = {"op": "batch", "tag": 1, "items": [item], "since": None}
    schema_checks.check(batch)
    del item["message"]
    with pytest.raises(ValidationError, match="'message' is a required property"):
        schema_checks.check(batch)


def test_a_frame_of_the_other_side_is_not_one_a_gateway_sends() -> None:
    with pytest.raises(AssertionError, match="no `pong`"):
        schema_checks.check({"op": "pong"})
