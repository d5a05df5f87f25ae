"""Reads notification ids as they are written on the command line."""

import typer

from clarion.contracts.ids import is_uuid


def notification_id(text: str, option: str) -> str:
    """Return a canonical id. Raise `typer.BadParameter` for what is none."""
    id_ = text.strip().lower()
    if len(id_) != 36 or not is_uuid(id_):
        raise typer.BadParameter(f"{option}: write the id of a notification, a UUID of 36 characters, and not {text!r}")
    return id_
