"""Troubles of a lane: it stands still, falls behind, delivers late, or waits for something. Pure data."""

from typing import Final

from clarion.contracts.limits import DAY_S, RETENTION_DAYS
from clarion.rules.objectives import late_share
from clarion.rules.rule import Rule, Volume, above
from clarion.rules.signals import (
    MINUTE_S,
    Quantile,
    Rate,
    Series,
    Slope,
    Value,
    highest,
    total,
)

_LAG_S: Final = Series("clarion_lag_seconds")
_LAG: Final = highest(Value(_LAG_S))

LANES: Final = (
    Rule(
        id="stalled-lane",
        title="Stalled lane",
        severity="critical",
        what="The lane {lane} does not get on: its oldest record waits longer and longer",
        cause=(
            "No worker of the lane runs or has a partition, a worker hangs, MongoDB or Kafka is away, or a producer "
            "has left a transaction open."
        ),
        cure=(
            "Look for the lane's processes: start them if there are none. Ask theirs `/health`, which names servers "
            "that are down and open transactions. Restart a worker that says nothing; nothing is lost by that."
        ),
        signal=highest(Slope(_LAG_S, 2 * MINUTE_S)),
        threshold=above(0.9, clear=0.5, for_s=30, clear_s=30),
        volume=Volume(_LAG, 10),
        unit="seconds",
    ),
    Rule(
        id="lag-grows",
        title="Lag grows",
        severity="warning",
        what="The lane {lane} falls behind: its lag grows by {value} each second, for ten minutes by now",
        cause="More comes in than its workers store, or MongoDB has become slow.",
        cure=(
            "See which stage takes longest on the dashboard of lanes. Start another worker if the processor is what is "
            "short; a lane takes as many as its topic has partitions. Look at Slow store if it is the stage `store`."
        ),
        signal=highest(Slope(_LAG_S, 10 * MINUTE_S)),
        # not 0: a lag that sways about nothing grows half of the time
        threshold=above(0.1, clear=0.05, for_s=5 * MINUTE_S, clear_s=MINUTE_S),
        volume=Volume(_LAG, 30),
        unit="seconds",
    ),
    Rule(
        id="retention-overrun",
        title="Retention overrun",
        severity="critical",
        what="The oldest record of the lane {lane} has waited for {value}, and Kafka deletes it after seven days",
        cause="The lane has stood still or been too slow for days.",
        cure=(
            "Have the lane run at once, see Stalled lane. Until it has caught up, let its topic keep records longer: "
            "raise `retention.ms` by `kafka-configs --alter`."
        ),
        signal=_LAG,
        threshold=above(0.6 * RETENTION_DAYS * DAY_S, clear=0.5 * RETENTION_DAYS * DAY_S, for_s=MINUTE_S, clear_s=0),
        unit="seconds",
    ),
    Rule(
        id="late-deliveries",
        title="Late deliveries",
        severity="info",
        what="{value} of the deliveries of the lane {lane} come later than its objective",
        cause="A stage of the lane is slow, Kafka or a gateway is, or senders' clocks are behind.",
        cure=(
            "See which stage takes longest on the dashboard of lanes, and whether one gateway alone is late. The "
            "alerts of the objective tell when it is bad enough for somebody to get up."
        ),
        signal=late_share(5 * MINUTE_S),
        threshold=above(0.05, clear=0.02, for_s=2 * MINUTE_S, clear_s=2 * MINUTE_S),
        volume=Volume(total(Rate(Series("clarion_delivery_seconds_count"), 5 * MINUTE_S)), 1),
        unit="share",
    ),
    Rule(
        id="releases-late",
        title="Releases late",
        severity="warning",
        what="One in a hundred scheduled notifications goes to its lane {value} late or later",
        cause="The scheduler role has too much to do at once, or MongoDB or Kafka is slow.",
        cure="Look at Slow store; start another process of the scheduler role.",
        signal=Quantile(0.99, Series("clarion_release_late_seconds"), 5 * MINUTE_S),
        threshold=above(10, clear=5, for_s=MINUTE_S, clear_s=2 * MINUTE_S),
        volume=Volume(total(Rate(Series("clarion_release_late_seconds_count"), 5 * MINUTE_S)), 0.05),
        unit="seconds",
    ),
    Rule(
        id="open-transaction",
        title="Open transaction",
        severity="critical",
        what="A partition of the lane {lane} has waited for {value} for a transaction that a producer left open",
        cause="A producer that publishes in transactions has ended or hangs in the midst of one.",
        cure=(
            "End that producer, which `kafka-transactions describe-producers` names. Bound it from now on by the "
            "broker's `transaction.max.timeout.ms`."
        ),
        signal=highest(Value(Series("clarion_open_transaction_seconds"))),
        threshold=above(30, clear=1, for_s=0, clear_s=0),
        unit="seconds",
        degrades=False,
    ),
    Rule(
        id="growth-unfinished",
        title="Growth unfinished",
        severity="warning",
        what="{value} new partitions of the topic {topic} are not read yet, since older records are not done",
        cause="The topic was given more partitions, and its lane has a backlog from before.",
        cure="Wait while the lane's lag falls. If it does not, see Stalled lane.",
        signal=highest(Value(Series("clarion_partitions_waiting"))),
        threshold=above(0, for_s=10 * MINUTE_S, clear_s=0),
        degrades=False,
    ),
    Rule(
        id="hot-recipient",
        title="Hot recipient",
        severity="warning",
        what="{value} notifications of the lane {lane} are above their recipient's limit",
        cause="A sender writes to one user, or to a few, far more often than anybody can read.",
        cure=(
            "Ask the sender to use a `collapse_key` or to send less. The log of the lane names no recipients; MongoDB "
            "does: `db.notifications.aggregate([{$sort: {_id: -1}}, {$limit: 10000}, {$match: {state: 'throttled'}}, "
            "{$sortByCount: '$recipient'}])`."
        ),
        signal=total(Rate(Series("clarion_throttled_total"), 5 * MINUTE_S)),
        threshold=above(1, clear=0.2, for_s=MINUTE_S, clear_s=2 * MINUTE_S),
        unit="per second",
    ),
)
