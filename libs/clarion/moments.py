"""Times as they are written on the command line."""

import re
from datetime import datetime, timedelta
from typing import Final

import typer

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> float:
    """Raises `typer.BadParameter`."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if not match or not int(match[1]):
        raise typer.BadParameter("a number and a unit, as 90s, 15m, 1h or 7d")
    return float(int(match[1]) * _UNITS[match[2]])


def moment(at: str | None, within: str | None, now: datetime) -> datetime | None:
    """The time `at`, or `within` so long from `now`; None without either. Raises `typer.BadParameter`."""
    if at and within:
        raise typer.BadParameter("either --deliver-at or --in, not both")
    try:
        found = datetime.fromisoformat(at) if at else now + timedelta(seconds=seconds(within)) if within else None
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"not a time: {error}") from error
    if found and found.tzinfo is None:
        raise typer.BadParameter("--deliver-at needs a time zone, as 2026-12-24T18:00:00Z")
    return found
