"""The interpreter of signals that writes PromQL, for Prometheus 2.42 or later. Pure."""

from clarion.rules.rule import Rule
from clarion.rules.signals import (
    OURS,
    Added,
    Changes,
    Combined,
    Distance,
    Either,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Remainder,
    Series,
    Signal,
    Slope,
    Value,
)


def promql(signal: Signal) -> str:
    """Return the signal as an expression of Prometheus."""
    match signal:
        case Value(series=series):
            return selector(series)
        case Rate(series=series, over_s=over_s):
            return f"rate({selector(series)}[{duration(over_s)}])"
        case Added(series=series, over_s=over_s):
            return f"(increase({selector(series)}[{duration(over_s)}]) > 0 or {_new(signal)})"
        case Slope(series=series, over_s=over_s):
            return f"deriv({selector(series)}[{duration(over_s)}])"
        case Extreme(which=which, series=series, over_s=over_s, ago_s=ago_s):
            offset = f" offset {duration(ago_s)}" if ago_s else ""
            return f"{which}_over_time({selector(series)}[{duration(over_s)}]{offset})"
        case Changes(series=series, over_s=over_s):
            return f"changes({selector(series)}[{duration(over_s)}])"
        case Quantile(q=q, over_s=over_s, away=away):
            buckets = f"sum without ({', '.join(away)}) (rate({selector(signal.buckets())}[{duration(over_s)}]))"
            return f"histogram_quantile({q:g}, {buckets})"
        case Combined(how=how, of=of, away=away):
            return f"{how} without ({', '.join(away)}) ({promql(of)})"
        case Ratio(of=of, to=to):
            return f"({promql(of)} / {promql(to)})"
        case Remainder(of=of):
            return f"(1 - {promql(of)})"
        case Distance(of=of):
            return f"abs({promql(of)})"
        case Either(signals=signals):
            return f"({' or '.join(map(promql, signals))})"
        case Provided(of=of, there_is=there_is):
            return f"({promql(of)} and {promql(there_is)})"


def alert_expression(rule: Rule, alert: str) -> str:
    """Return the expression of the alert called `alert` for a rule.

    An alert that fires stays until the signal has passed the threshold at which it clears: `ALERTS` tells that it
    fires. Its labels are those of the signal and the three that Prometheus and the rule add.
    """
    threshold = rule.threshold
    signal, operator = promql(rule.signal), "<" if threshold.is_below else ">"
    fires = f"{signal} {operator} {threshold.fires_at:.12g}"
    if rule.volume:
        fires = f"({fires}) and ({promql(rule.volume.of)} >= {rule.volume.at_least:.12g})"
    if threshold.clears_at == threshold.fires_at and not rule.volume:
        return fires
    stays = f"{signal} {operator} {threshold.clears_at:.12g}"
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    return f"({fires}) or (({stays}) and ignoring (alertname, alertstate, rule, severity) {firing})"


def selector(series: Series) -> str:
    """Return the instant vector selector of a series."""
    if not series.where:
        return series.name
    return f"{series.name}{{{', '.join(_matcher(label, value) for label, value in series.where.items())}}}"


def duration(seconds: float) -> str:
    """Return a whole number of seconds as Prometheus writes it: `90s`, `5m`, `6h`, `3d`."""
    whole = round(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def _new(added: Added) -> str:
    """Return what had no series then, though its process was seen, so that all of its count was added since."""
    series, then = selector(added.series), f"offset {duration(added.over_s)}"
    matching = f" ignoring ({', '.join(added.labels)})" if added.labels else ""
    return f"(({series} unless {series} {then}) and{matching} {selector(OURS)} {then})"


def _matcher(label: str, value: str) -> str:
    quoted = value.removeprefix("~").replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}=~"{quoted}"' if value.startswith("~") else f'{label}="{quoted}"'
