"""Frames against the AsyncAPI document: what the gateway says of itself is what it sends."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from services.gateway.http.asyncapi import document

Frame = dict[str, Any]


@cache
def _validator(op: str, action: str) -> Draft202012Validator:
    described = document()
    said = {message["$ref"].rpartition("/")[2] for message in described["operations"][action]["messages"]}
    assert op in said, f"the document has no `{op}` that a gateway would {action}"
    payload = described["components"]["messages"][op]["payload"]
    return Draft202012Validator({**payload, "components": described["components"]})


def check(frame: Frame, action: str = "send") -> None:
    """Raises jsonschema.ValidationError, or AssertionError for a frame the document does not know."""
    _validator(frame["op"], action).validate(frame)
