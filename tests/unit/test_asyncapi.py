"""The AsyncAPI document: whole in itself, and of one mind with what decodes the frames."""

import json
import re
from typing import Any

import msgspec
import pytest
from jsonschema import ValidationError

from clarion.contracts import frames, limits
from clarion.contracts.close_codes import Close
from services.gateway.asyncapi import document
from tests import described

ID = "019353f5-0f2a-7c11-8a5b-0123456789ab"


def test_every_reference_leads_somewhere_and_every_close_code_is_explained() -> None:
    text = msgspec.json.encode(document()).decode()
    whole = json.loads(text)
    found = set(re.findall(r'"\$ref":"#/([^"]+)"', text))
    assert "components/messages/batch" in found
    for reference in found:
        part = whole
        for step in reference.split("/"):
            part = part[step]
    for code in Close:
        assert f"{code.value} " in whole["channels"]["socket"]["description"]


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
def test_the_document_takes_of_a_client_what_the_gateway_takes(frame: described.Frame, is_good: bool) -> None:
    try:
        frames.decode_client(json.dumps(frame).encode())
        taken = True
    except msgspec.DecodeError:
        taken = False
    try:
        described.check(frame, "receive")
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
    described.check(batch)
    del item["message"]
    with pytest.raises(ValidationError, match="'message' is a required property"):
        described.check(batch)


def test_a_frame_of_the_other_side_is_not_one_a_gateway_sends() -> None:
    with pytest.raises(AssertionError, match="no `pong`"):
        described.check({"op": "pong"})
