"""Reads times and durations as they are written on the command line."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import typer

from clarion.contracts.records.notification import Moment

_FORM: Final = "write a date, a time and a zone, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00 (RFC 3339)"
UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90s, 15m, 1h or 7d. Raise `typer.BadParameter`."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if not match or not int(match[1]):
        raise typer.BadParameter("write a number above 0 and a unit, such as 90s, 15m, 1h or 7d")
    return float(int(match[1]) * UNITS[match[2]])


def moment(at: str | None, within: str | None, now: datetime) -> datetime | None:
    """Return the time `at`, or the one that is `within` from `now`; None without either. Raise `typer.BadParameter`.

    `at` has the forms in which ingest takes `deliver_at`.
    """
    if at is not None and within is not None:
        raise typer.BadParameter("give either --deliver-at or --in, not both")
    try:
        if within is not None:
            return _after(now, within)
        return None if at is None else msgspec.convert(at, Moment).astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--deliver-at: {error}; {_FORM}") from error


def moment_or_ago(option: str, text: str, now: datetime) -> datetime:
    """Return a time as `moment` reads it, or the one that is a duration such as 15m before `now`.

    Raise `typer.BadParameter`, which names the `option`.
    """
    try:
        if re.fullmatch(r"\d{1,9}[smhd]", text):
            return now - timedelta(seconds=seconds(text))
        return msgspec.convert(text, Moment).astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{option}: {error}; {_FORM}, or a duration such as 15m or 7d") from error


def _after(now: datetime, within: str) -> datetime:
    try:
        return now + timedelta(seconds=seconds(within))
    except OverflowError as error:
        raise typer.BadParameter(f"--in {within} ends after the year 9999: give a shorter time") from error
