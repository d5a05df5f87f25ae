"""Moments: to the millisecond, in UTC, within the calendar."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import times

EARLIEST = datetime(2, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # a zone must not push it out of the calendar


def test_times_are_cut_to_milliseconds_and_read_back() -> None:
    assert times.rfc3339(times.from_ms(1_795_000_000_007)) == "2026-11-18T11:06:40.007Z"
    assert times.now().microsecond % 1000 == 0


def test_a_record_timestamp_that_no_calendar_has_fails_nothing() -> None:
    assert times.rfc3339(times.from_ms(-1)) == "1970-01-01T00:00:00.000Z"
    assert times.rfc3339(times.from_ms(2**63 - 1)) == "9999-12-31T23:59:59.999Z"


@given(st.datetimes(EARLIEST, timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3))])))
def test_a_time_is_written_in_utc_and_cut_to_milliseconds(moment: datetime) -> None:
    cut = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    assert times.rfc3339(moment) == f"{cut}Z"
