"""The ring of the charts: a point each ten seconds, an hour of them, and gaps that are gaps."""

from clarion.operating.overview.hour import EVERY_S, POINTS, Hour


def test_a_later_look_within_ten_seconds_replaces_the_point() -> None:
    hour = Hour(1)
    for at, value in ((1000.0, 1.0), (1003.0, 2.0), (1009.9, 3.0), (1010.0, 4.0)):
        hour.add(at, [value])
    assert [(point.at, point.values) for point in hour.points()] == [(1000, [3.0]), (1010, [4.0])]


def test_an_hour_is_kept_and_no_more() -> None:
    hour = Hour(2)
    for n in range(2 * POINTS):
        hour.add(n * EVERY_S, [float(n), None])
    points = hour.points()
    assert len(points) == POINTS == 360
    assert [points[0].at, points[-1].at] == [POINTS * EVERY_S, (2 * POINTS - 1) * EVERY_S]


def test_a_time_without_looks_is_a_gap_and_no_line() -> None:
    hour = Hour(2)
    hour.add(1000, [1.0, 1.0])
    hour.add(1000 + 3 * EVERY_S, [2.0, 2.0])
    hour.add(1200, [3.0, 3.0])
    assert [(point.at, point.values) for point in hour.points()] == [
        (1000, [1.0, 1.0]),
        (1030, [2.0, 2.0]),
        (1040, [None, None]),
        (1200, [3.0, 3.0]),
    ]


def test_a_clock_that_was_set_back_begins_anew() -> None:
    hour = Hour(1)
    for at in (5000, 5010, 1000, 1010):
        hour.add(at, [1.0])
    assert [point.at for point in hour.points()] == [1000, 1010]
