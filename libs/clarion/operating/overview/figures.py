"""The figures of the overview and of its charts, as signals over the metrics of all processes. Pure data."""

from collections.abc import Mapping
from typing import Final

from clarion.contracts.lanes import LANES
from clarion.operating.overview import schema
from clarion.rules.signals import Combined, Quantile, Rate, Series, Signal, Value, highest, total

RATE_OVER_S: Final = 30.0  # at least three looks, also while nobody watches
_P99_OVER_S: Final = 60.0

# Each has a value by the label `lane`; of lag, by the roles that are no lanes as well.
BY_LANE: Final[Mapping[str, Signal]] = {
    "accepted_per_s": total(Rate(Series("clarion_accepted_total"), RATE_OVER_S)),
    "stored_per_s": total(Rate(Series("clarion_stored_total"), RATE_OVER_S)),
    "delivered_per_s": total(Rate(Series("clarion_delivered_total"), RATE_OVER_S)),
    "lag_records": highest(Value(Series("clarion_lag_records"))),
    "lag_seconds": highest(Value(Series("clarion_lag_seconds"))),
    "pending": highest(Value(Series("clarion_pending"))),
    "oldest_pending_s": highest(Value(Series("clarion_oldest_pending_seconds"))),
    "delivery_p99_s": Quantile(0.99, Series("clarion_delivery_seconds"), _P99_OVER_S),
}

# Each has one value. Observers tell the same, so of them the highest or the lowest counts, and never the sum.
OF_THE_WHOLE: Final[Mapping[str, Signal]] = {
    "connections": total(Value(Series("clarion_connections")), "state"),
    "dead_letters": Combined("sum", highest(Value(Series("clarion_dead_letters"))), ("reason",)),
    "unaccounted": highest(Value(Series("clarion_unaccounted"))),
    "mailboxes_free": Combined("min", Value(Series("clarion_mailboxes_free"))),
    "store_free_ratio": Combined("min", Value(Series("clarion_store_free_ratio"))),
}

_CHARTED: Final[Mapping[str, schema.Series]] = {
    "accepted_per_s": schema.Series("Accepted over HTTP", "", "per second"),
    "stored_per_s": schema.Series("Stored", "", "per second"),
    "delivered_per_s": schema.Series("Acknowledged by devices", "", "per second"),
    "lag_seconds": schema.Series("Lag", "", "seconds"),
    "delivery_p99_s": schema.Series("From publishing to the device, p99", "", "seconds"),
    "pending": schema.Series("Pending", "", "number"),
}
CHARTS: Final[Mapping[tuple[str, str], schema.Series]] = {
    **{
        (figure, lane): schema.Series(series.chart, lane, series.unit)
        for figure, series in _CHARTED.items()
        for lane in map(str, LANES)
    },
    ("connections", ""): schema.Series("Connections", "connections", "number"),
}
