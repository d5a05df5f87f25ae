"""Times on the command line."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from clarion.cli.times import moment

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_time_or_how_long_from_now() -> None:
    assert moment(None, None, NOW) is None
    assert moment("2026-12-24T18:00:00+01:00", None, NOW) == datetime(2026, 12, 24, 17, tzinfo=UTC)
    assert moment(None, "10m", NOW) == NOW + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("at", "within"),
    [
        ("2026-12-24T18:00:00Z", "10m"),
        ("2026-12-24T18:00:00", None),
        ("", None),
        (None, ""),
        ("", "10m"),
        ("2026-12-24", None),
        ("20261224T180000Z", None),
        ("2026-W52-4T18:00:00Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("tomorrow", None),
        (None, "0s"),
        (None, "ten"),
        (None, "999999999d"),
        (None, "9999999999d"),
    ],
)
def test_what_is_no_time_is_a_usage_error(at: str | None, within: str | None) -> None:
    with pytest.raises(typer.BadParameter):
        moment(at, within, NOW)
