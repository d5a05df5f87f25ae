"""The overview: rates, the merging of what processes say, and what is not known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from clarion.operating.overview import figures
from clarion.operating.overview.schema import Overview
from clarion.operating.overview.system_watch import SHOWN_MOST, SystemWatch
from clarion.operating.processes import ProcessView
from clarion.operating.samples import Sample
from tests.unit.clarion.operating.overview.saying import lane_samples, process, silent

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def looked(watch: SystemWatch, *rounds: Sequence[ProcessView], every_s: float = 5.0, begin_s: float = 0.0) -> Overview:
    """Look at each round of views, some seconds apart; return the last overview."""
    overview = None
    for n, views in enumerate(rounds):
        now_s = begin_s + n * every_s
        overview = watch.look(now_s, AT + timedelta(seconds=now_s), views)
    assert overview is not None
    return overview


def test_a_rate_is_summed_over_the_processes_of_a_lane() -> None:
    rounds = [
        [
            process("low-1", "stream-low", lane_samples("low", 100 + 50 * n)),
            process("low-2", "stream-low", lane_samples("low", 7 + 10 * n)),
        ]
        for n in range(8)
    ]
    low = looked(SystemWatch(), *rounds).lanes[-1]
    assert low.stored_per_s == 12.0
    assert (low.workers, low.ready, low.objective_s) == (2, 2, 5.0)


def test_a_counter_that_begins_anew_is_no_negative_rate() -> None:
    counts = [100.0, 150.0, 200.0, 0.0, 50.0, 100.0, 150.0]
    rounds = [[process("low", "stream-low", lane_samples("low", count))] for count in counts]
    low = looked(SystemWatch(), *rounds).lanes[-1]
    assert low.stored_per_s is not None
    assert 7 < low.stored_per_s < 10


def test_lag_that_two_observers_tell_counts_once() -> None:
    said = {"clarion_lag_records": [Sample({"lane": "low"}, 40.0), Sample({"lane": "scheduler"}, 3.0)]}
    views = [process(name, "stream-observer", said) for name in ("observer-1", "observer-2")]
    overview = looked(SystemWatch(), views)
    low = overview.lanes[-1]
    assert (low.lag_records, low.lag_seconds, low.stored_per_s) == (40.0, None, None)
    assert [(queue.name, queue.lag_records) for queue in overview.queues] == [("scheduler", 3.0)]


def test_what_nobody_tells_any_more_is_not_known_and_not_zero() -> None:
    watch = SystemWatch()
    said = {"clarion_pending": [Sample({"lane": "low"}, 5.0)], "clarion_mailboxes_free": [Sample({}, 6.0)]}
    before = looked(watch, [process("observer", "stream-observer", said)])
    after = looked(watch, [silent("observer")], begin_s=5.0)
    assert ([one.pending for one in before.lanes], before.figures.mailboxes_free) == ([None, None, None, 5.0], 6.0)
    assert ([one.pending for one in after.lanes], after.figures.mailboxes_free) == ([None] * 4, None)


def test_gateways_and_processes_that_are_not_well_come_first() -> None:
    told = {"connections": 12, "rooms": 9, "mailbox": 3, "performance": {"pushed_per_s": {"low": 1.5, "high": 2.0}}}
    views = [
        process("gateway-1", "gateway", figures=told),
        process("gateway-2", "gateway", status="degraded", reasons=["r" * 1000, *"abcdefg"]),
        silent("gateway-3"),
    ]
    overview = looked(SystemWatch(), views)
    assert [one.name for one in overview.gateways] == ["gateway-3", "gateway-2", "gateway-1"]
    well = overview.gateways[2]
    assert (well.connections, well.users, well.mailbox, well.pushed_per_s) == (12, 9, 3, 3.5)
    assert [one.status for one in overview.processes] == ["", "degraded", "ok"]
    assert overview.processes[0].reasons == ["/health: refused"]
    assert [len(reason) for reason in overview.processes[1].reasons] == [601, 1, 1, 1, 1]


def test_a_process_that_stops_is_a_trouble_after_a_minute() -> None:
    watch = SystemWatch()
    here, gone = [process("low", "stream-low")], [silent("low")]
    assert looked(watch, here, here, gone).troubles == []
    found = looked(watch, *[gone] * 13, begin_s=15.0).troubles
    assert [(one.rule, one.seen_by, one.severity) for one in found] == [("process-gone", ["low"], "warning")]


def test_charts_have_a_value_for_each_series() -> None:
    watch = SystemWatch()
    overview = looked(watch, *[[process("low", "stream-low", lane_samples("low", 50.0 * n))] for n in range(8)])
    charts = watch.charts()
    assert charts.every_s == 10
    assert [point.at - int(AT.timestamp()) for point in charts.points] == [0, 10, 20, 30]
    assert charts.points[-1] == overview.point
    at = list(figures.CHARTS).index(("stored_per_s", "low"))
    assert overview.point.values[at] == 10.0
    assert (charts.series[at].chart, charts.series[at].label) == ("Stored", "low")
    assert len(charts.series) == len(overview.point.values)


def test_a_large_system_is_cut_and_says_so() -> None:
    views = [process("gateway", "gateway", port=1000 + n) for n in range(SHOWN_MOST + 30)]
    overview = looked(SystemWatch(), views)
    assert (len(overview.gateways), len(overview.processes), overview.left_out) == (SHOWN_MOST, SHOWN_MOST, 30)
