"""Bytes in JSON, for people who read and edit them: as text where they are UTF-8, else as base64."""

import base64
import binascii
from typing import Literal

import msgspec

from clarion.contracts.records.notification import Invalid


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """Some bytes: the UTF-8 of `text`, or what `text` is the base64 of."""

    text: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """A header of a record. Its value may be null on Kafka."""

    name: str
    value: Content | None = None


def shown(content: bytes) -> Content:
    """Return bytes as JSON has them."""
    try:
        return Content(content.decode())
    except UnicodeDecodeError:
        return Content(base64.b64encode(content).decode(), "base64")


def read(content: Content, pointer: str) -> bytes:
    """Return the bytes that a content stands for. Raise `Invalid`, which names the field by `pointer`."""
    try:
        if content.encoding == "base64":
            return base64.b64decode(content.text, validate=True)
        return content.text.encode()
    except (binascii.Error, ValueError) as error:
        detail = f"the text is not {content.encoding}: {error}"
        raise Invalid(f"{pointer}/text", "unencodable", content.encoding, detail) from error
