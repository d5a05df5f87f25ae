"""For each rule a made-up course of events, a sample every 15 s: when its trouble must be seen, and when it is over."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

STEP_S = 15
A_MINUTE = 60 // STEP_S

Samples = Sequence[float | None]  # None where there is no sample


class Scenario(NamedTuple):
    """`rule` must not hold `before` so many minutes, must hold at `during`, and must not hold any more at `after`."""

    rule: str
    series: Mapping[str, Samples]
    before: float
    during: float
    after: float


def level(*parts: tuple[float, float | None]) -> Samples:
    """A gauge: for so many minutes this value, then the next."""
    return [value for minutes, value in parts for _ in range(round(minutes * A_MINUTE))]


def line(*parts: tuple[float, float, float]) -> Samples:
    """A gauge: for so many minutes from this value on, with so much more each second."""
    return [
        first + slope * STEP_S * step for minutes, first, slope in parts for step in range(round(minutes * A_MINUTE))
    ]


def counter(*parts: tuple[float, float], first: float = 1000.0) -> Samples:
    """A counter: for so many minutes so much more each second."""
    values, now = list[float](), first
    for minutes, per_s in parts:
        for _ in range(round(minutes * A_MINUTE)):
            values.append(now)
            now += per_s * STEP_S
    return values


def late(minutes: float) -> Samples:
    """A counter that begins to exist after so many minutes, at 2."""
    return [*[None] * round(minutes * A_MINUTE), *[2.0] * (90 * A_MINUTE)]


def histogram(name: str, labels: str, *buckets: tuple[str, Samples]) -> dict[str, Samples]:
    """The buckets of a histogram, and its count, which is the last bucket's."""
    lead = f"{labels}, " if labels else ""
    made = {f'{name}_bucket{{{lead}le="{le}"}}': samples for le, samples in buckets}
    return made | {f"{name}_count{{{labels}}}": buckets[-1][1]}


OURS = 'clarion_logs_dropped_total{instance="a"}'
QUIET = level((120, 0.0))
LATE = late(15)
BURST = counter((20, 0.0), (1, 1.0), (99, 0.0))  # fifteen to sixty at once, after 20 minutes

SCENARIOS = [
    Scenario("stalled-lane", {'clarion_lag_seconds{lane="low"}': line((10, 0, 0), (10, 0, 1), (20, 0, 0))}, 10, 13, 24),
    Scenario("lag-grows", {'clarion_lag_seconds{lane="low"}': line((15, 0, 0), (25, 0, 0.4), (25, 0, 0))}, 15, 35, 55),
    Scenario(
        "retention-overrun", {'clarion_lag_seconds{lane="low"}': level((5, 10.0), (5, 400_000.0), (5, 5.0))}, 5, 7, 12
    ),
    Scenario(
        "late-deliveries",
        histogram(
            "clarion_delivery_seconds",
            'lane="urgent"',
            ("0.25", counter((10, 10), (10, 5), (20, 10))),
            ("+Inf", counter((40, 10))),
        ),
        10,
        16,
        32,
    ),
    Scenario(
        "releases-late",
        histogram(
            "clarion_release_late_seconds",
            "",
            ("1.0", counter((10, 1), (10, 0), (20, 1))),
            ("10.0", counter((10, 1), (10, 0), (20, 1))),
            ("60.0", counter((40, 1))),
            ("+Inf", counter((40, 1))),
        ),
        10,
        16,
        32,
    ),
    Scenario(
        "open-transaction",
        {'clarion_open_transaction_seconds{lane="high"}': level((5, 0.0), (5, 60.0), (5, 0.0))},
        5,
        7,
        12,
    ),
    Scenario(
        "growth-unfinished",
        {'clarion_partitions_waiting{topic="notifications.low"}': level((5, 0.0), (15, 4.0), (5, 0.0))},
        5,
        16,
        22,
    ),
    Scenario("hot-recipient", {'clarion_throttled_total{lane="low"}': counter((10, 0), (10, 20), (20, 0))}, 10, 14, 32),
    Scenario("unaccounted", {"clarion_unaccounted": level((5, 0.0), (5, -2.0), (5, 0.0))}, 5, 8, 12),
    Scenario(
        "dead-letters",
        {'clarion_dead_lettered_total{reason="invalid", instance="a"}': LATE, OURS: QUIET},
        14,
        18,
        30,
    ),
    Scenario(
        "safety-net-pushes", {'clarion_overlooked_total{lane="low", instance="a"}': LATE, OURS: QUIET}, 14, 18, 95
    ),
    Scenario(
        "safety-net-blind",
        {
            'clarion_safety_net_looks_total{how="done"}': counter((20, 1 / 60), (30, 0), (40, 1 / 60)),
            'clarion_safety_net_looks_total{how="missed"}': counter((20, 0), (30, 1 / 60), (40, 0)),
        },
        20,
        46,
        75,
    ),
    Scenario("mailbox-unreadable", {'clarion_mailbox_lost_total{instance="a"}': BURST}, 20, 22, 40),
    Scenario(
        "topic-made-anew",
        {'clarion_topics_made_anew_total{topic="receipts", instance="a"}': LATE, OURS: QUIET},
        14,
        18,
        95,
    ),
    Scenario("receipts-dropped", {'clarion_receipts_dropped_total{instance="a"}': BURST}, 20, 22, 40),
    Scenario(
        "dependency-down", {'clarion_dependency_up{dependency="kafka"}': level((5, 1.0), (5, 0.0), (5, 1.0))}, 5, 7, 12
    ),
    Scenario(
        "breaker-open", {'clarion_breaker_state{dependency="kafka"}': level((5, 0.0), (5, 2.0), (5, 0.0))}, 5, 7, 13
    ),
    Scenario(
        "rising-errors", {'clarion_retries_total{dependency="kafka"}': counter((10, 0), (10, 2), (10, 0))}, 10, 14, 28
    ),
    Scenario(
        "slow-store",
        histogram(
            "clarion_stage_seconds",
            'lane="low", stage="store"',
            ("0.5", counter((10, 1), (10, 0), (20, 1))),
            ("1.0", counter((10, 1), (10, 0), (20, 1))),
            ("2.5", counter((40, 1))),
            ("+Inf", counter((40, 1))),
        ),
        10,
        16,
        32,
    ),
    Scenario(
        # one slow moment first, after ten minutes
        "windows-shelved",
        {'clarion_windows_shelved_total{lane="low"}': counter((10, 0), (0.25, 1), (9.75, 0), (6, 0.1), (20, 0))},
        20,
        24,
        30,
    ),
    Scenario("writes-refused", {'clarion_writes_refused_total{collection="sessions"}': BURST}, 20, 22, 40),
    Scenario("records-refused", {'clarion_records_refused_total{topic="deliveries"}': BURST}, 20, 22, 40),
    Scenario("kafka-refuses", {'clarion_producer_renewed_total{error="NotEnoughReplicas"}': BURST}, 20, 22, 40),
    Scenario("disk-nearly-full", {"clarion_store_free_ratio": level((5, 0.4), (5, 0.08), (5, 0.2))}, 5, 8, 14),
    Scenario(
        "clock-skew", {'clarion_clock_skew_seconds{server="kafka"}': level((5, 0.1), (5, -3), (5, 0.0))}, 5, 8, 13
    ),
    Scenario(
        # half a minute first, as when one look fails
        "observer-blind",
        {'clarion_look_failing{look="lag"}': level((5, 0.0), (0.5, 1.0), (4.5, 0.0), (5, 1.0), (10, 0.0))},
        10,
        13,
        17,
    ),
    Scenario(
        "connection-churn",
        {
            'clarion_closed_total{code="1006", instance="a"}': counter((10, 0.1), (10, 20), (10, 0.1)),
            'clarion_connections{state="open", instance="a"}': level((40, 1000.0)),
        },
        10,
        15,
        28,
    ),
    Scenario(
        "clients-refused",
        {'clarion_upgrades_refused_total{status="429"}': counter((10, 0), (10, 5), (20, 0))},
        10,
        15,
        32,
    ),
    Scenario("mailboxes-running-out", {"clarion_mailboxes_free": level((5, 10.0), (5, 1.0), (5, 6.0))}, 5, 8, 14),
    Scenario(
        "sender-flood", {'clarion_rate_limited_total{limit="sender_rate"}': counter((5, 0), (5, 50), (10, 0))}, 5, 8, 18
    ),
    Scenario(
        "ingest-unavailable",
        {
            'clarion_answered_total{status="202"}': counter((10, 10), (10, 5), (20, 10)),
            'clarion_answered_total{status="503"}': counter((10, 0), (10, 5), (20, 0)),
        },
        10,
        15,
        32,
    ),
    Scenario(
        "process-gone",
        {
            'up{instance="a"}': level((5, 1.0), (5, 0.0), (5, 1.0)),
            OURS: level((5, 0.0), (5, None), (5, 0.0)),
            'up{instance="another program"}': level((15, 0.0)),
        },
        5,
        8,
        12,
    ),
    Scenario(
        "restarts",
        {
            'process_start_time_seconds{instance="a"}': level((10, 1.0), (1, 2.0), (1, 3.0), (1, 4.0), (40, 5.0)),
            OURS: QUIET,
        },
        10,
        15,
        40,
    ),
    Scenario(
        "cpu-saturated",
        {
            'process_cpu_seconds_total{instance="a"}': counter((10, 0.2), (10, 0.98), (10, 0.2)),
            'process_cpu_seconds_total{instance="another program"}': counter((30, 0.98)),
            OURS: QUIET,
        },
        10,
        15,
        28,
    ),
    Scenario(
        "memory-growth",
        {
            'process_resident_memory_bytes{instance="a"}': level((60, 1.5e8), (60, 4e8), (30, 1.5e8)),
            OURS: level((150, 0.0)),
        },
        75,
        110,
        140,
    ),
    Scenario(
        "event-loop-slow",
        histogram(
            "clarion_loop_delay_seconds",
            "",
            ("0.05", counter((10, 1), (5, 0), (10, 1))),
            ("0.1", counter((10, 1), (5, 0), (10, 1))),
            ("0.5", counter((25, 1))),
            ("+Inf", counter((25, 1))),
        ),
        10,
        14,
        22,
    ),
    Scenario(
        "file-descriptors-short",
        {
            'process_open_fds{instance="a"}': level((5, 100.0), (5, 950.0), (5, 100.0)),
            'process_max_fds{instance="a"}': level((15, 1000.0)),
            OURS: QUIET,
        },
        5,
        7,
        12,
    ),
    Scenario("logs-dropped", {'clarion_logs_dropped_total{instance="a"}': BURST}, 20, 22, 40),
]
