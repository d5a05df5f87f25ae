"""Troubles of Kafka and MongoDB: away, slow, full, or with another clock. Pure data."""

from typing import Final

from clarion.rules.rule import Rule, Volume, above, below
from clarion.rules.signals import (
    MINUTE_S,
    PROCESS,
    Added,
    Distance,
    Extreme,
    Quantile,
    Rate,
    Series,
    Value,
    highest,
    total,
)

_STORE: Final = {"stage": "store"}

SERVERS: Final = (
    Rule(
        id="dependency-down",
        title="Dependency down",
        severity="critical",
        what="A process does not reach {dependency}",
        cause="The server has ended or hangs, or the network between is cut.",
        cure=(
            "Start the server, or mend the network. `/health` of the process has the server's own words. Nothing that "
            "was accepted is lost: work goes on as soon as it answers."
        ),
        signal=Value(Series("clarion_dependency_up")),
        threshold=below(1, for_s=15, clear_s=15),
        degrades=False,
    ),
    Rule(
        id="breaker-open",
        title="Breaker open",
        severity="critical",
        what="A process has stopped calling {dependency} for moments at a time, since half of its calls fail",
        cause="The server answers its probe and fails at real work: it is overloaded, full, or about to go.",
        cure="Look at the server's own log, its disk and its load. Retried calls lose nothing.",
        signal=Extreme("max", Series("clarion_breaker_state"), MINUTE_S),
        threshold=above(1.5, for_s=30, clear_s=30),
    ),
    Rule(
        id="rising-errors",
        title="Rising errors",
        severity="warning",
        what="Calls of {dependency} fail and are tried again, {value}",
        cause="The server is overloaded or restarts, or a primary or a leader has changed.",
        cure=(
            "A change of primary or leader passes within a minute. If it goes on, the log line `a server did not "
            "answer or failed` has the error: look at the server that it names."
        ),
        signal=Rate(Series("clarion_retries_total"), 2 * MINUTE_S),
        threshold=above(0.5, clear=0.1, for_s=MINUTE_S, clear_s=MINUTE_S),
        unit="per second",
    ),
    Rule(
        id="slow-store",
        title="Slow store",
        severity="warning",
        what="One in a hundred windows of the lane {lane} takes {value} or longer to be stored",
        cause="MongoDB is overloaded, its disk is slow, or a member of its replica set lags, so majorities come late.",
        cure=(
            "Look at MongoDB's load and disk, and at `rs.status()`. See that mongod has the options of the README. "
            "Bulk lanes give way to urgent by themselves."
        ),
        signal=Quantile(0.99, Series("clarion_stage_seconds", _STORE), 5 * MINUTE_S, (*PROCESS, "stage")),
        threshold=above(1, clear=0.5, for_s=MINUTE_S, clear_s=2 * MINUTE_S),
        volume=Volume(total(Rate(Series("clarion_stage_seconds_count", _STORE), 5 * MINUTE_S), "stage"), 0.1),
        unit="seconds",
    ),
    Rule(
        id="windows-shelved",
        title="Windows shelved",
        severity="warning",
        what="The lane {lane} goes on to put off windows, {value} within two minutes, since MongoDB is slow or away",
        cause="MongoDB takes longer than 250 ms or does not answer. Urgent ones go live before they are stored.",
        cure="Look at Dependency down and Slow store. What was put off is stored as soon as MongoDB answers.",
        signal=total(Added(Series("clarion_windows_shelved_total"), 2 * MINUTE_S, ("lane",))),
        # longer than the signal's two minutes: one window that met a slow moment is no trouble
        threshold=above(0, for_s=3 * MINUTE_S, clear_s=0),
    ),
    Rule(
        id="writes-refused",
        title="Writes refused",
        severity="warning",
        what="MongoDB has refused {value} changes of {collection} for good within ten minutes",
        cause="A document has content that MongoDB does not take, or that its validation rules refuse.",
        cure="Read its words in the log lines that begin with `MongoDB refused`. Other changes were made. Report it.",
        signal=total(Added(Series("clarion_writes_refused_total"), 10 * MINUTE_S, ("collection",))),
        threshold=above(0, for_s=0, clear_s=0),
    ),
    Rule(
        id="records-refused",
        title="Records refused",
        severity="warning",
        what="Kafka has refused {value} records for the topic {topic} within ten minutes, since they are too large",
        cause="The topic's `max.message.bytes` is lower than Clarion declares.",
        cure="Run `clarion topics check`, and alter what it reports. Users find these notifications in their inbox.",
        signal=total(Added(Series("clarion_records_refused_total"), 10 * MINUTE_S, ("topic",))),
        threshold=above(0, for_s=0, clear_s=0),
    ),
    Rule(
        id="kafka-refuses",
        title="Kafka refuses",
        severity="warning",
        what="Kafka refuses batches of a producer: {error}, {value} within ten minutes",
        cause="Rights are missing, a disk of Kafka is full, or too few replicas are in sync.",
        cure="The error says which. `/health` of the process names the topic.",
        signal=total(Added(Series("clarion_producer_renewed_total"), 10 * MINUTE_S, ("error",))),
        threshold=above(3, for_s=0, clear_s=0),
        degrades=False,
    ),
    Rule(
        id="disk-nearly-full",
        title="Disk nearly full",
        severity="critical",
        what="Only {value} of the disk of MongoDB is free",
        cause="More is stored than expected, or something else fills the disk.",
        cure=(
            "Make the disk larger, or free it. A full disk ends mongod, and then only urgent notifications go on. "
            "Notifications are purged 30 days after they were stored; a purge frees space for new ones only."
        ),
        signal=Extreme("min", Series("clarion_store_free_ratio"), MINUTE_S),
        threshold=below(0.1, clear=0.15, for_s=MINUTE_S, clear_s=MINUTE_S),
        unit="share",
    ),
    Rule(
        id="clock-skew",
        title="Clock skew",
        severity="warning",
        what="The clock of {server} differs by {value} from the observer's",
        cause="A machine does not keep its time by NTP.",
        cure=(
            "Run `chronyc tracking` or `timedatectl` on both machines, and mend the one that is wrong. Measured "
            "delivery times, `deliver_at` and tokens go by these clocks."
        ),
        signal=highest(Distance(Value(Series("clarion_clock_skew_seconds")))),
        threshold=above(1, clear=0.5, for_s=2 * MINUTE_S, clear_s=MINUTE_S),
        unit="seconds",
    ),
    Rule(
        id="observer-blind",
        title="Observer blind",
        severity="warning",
        what="The observer cannot see {look}",
        cause="Kafka or MongoDB does not answer it, or it has no rights to ask.",
        cure=(
            "Look at Dependency down. Give the observer rights to describe groups and topics, and `clusterMonitor` in "
            "MongoDB. Lag and what it could not see are missing meanwhile."
        ),
        # not the count of failures: one that is over would be told as one that lasts
        signal=Value(Series("clarion_look_failing")),
        threshold=above(0, for_s=MINUTE_S, clear_s=MINUTE_S),
    ),
)
