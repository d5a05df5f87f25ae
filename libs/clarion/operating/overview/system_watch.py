"""Looks again and again at what all processes say, and makes the overview of it. Pure: times are passed in."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.objectives import DELIVERED_WITHIN_S
from clarion.contracts.times import rfc3339
from clarion.operating.overview import figures, schema
from clarion.operating.overview.hour import EVERY_S, Hour
from clarion.operating.overview.scraped import address, instances, scraped
from clarion.operating.overview.troubles import judged_by_the_whole, open_troubles
from clarion.operating.processes import ProcessView
from clarion.operating.system_health import overall
from clarion.rules.evaluate import evaluate
from clarion.rules.signals import Signal
from clarion.rules.troubles import TROUBLES
from clarion.rules.watch import Watch

SHOWN_MOST: Final = 200  # processes and gateways, those that are not well first
_SERIES_MOST: Final = 20_000
_REASONS_MOST: Final = 5
_REASON_CHARS: Final = 600
_GATEWAY: Final = "gateway"
_STATUSES: Final = ("", "failing", "degraded", "ok")  # in the order in which somebody should look

Figures = Mapping[str, Mapping[str, float]]  # by figure, then by lane, which is empty of a figure of the whole


class _Performance(msgspec.Struct):
    cpu_cores: float | dict[str, float] | None = None
    memory_bytes: float | dict[str, float] | None = None
    pushed_per_s: dict[str, float] | float | None = None


class _Told(msgspec.Struct):
    """What a process tells at `/health/metrics`, of which the overview shows this."""

    uptime_s: float | None = None
    connections: int | None = None
    rooms: int | None = None
    catching_up: int | None = None
    receipts_buffered: int | None = None
    mailbox: int | None = None
    performance: _Performance = msgspec.field(default_factory=_Performance)


class SystemWatch:
    """The samples of the last minutes, the rules that hold, and the last hour of the charts."""

    def __init__(self) -> None:
        signals = (*figures.BY_LANE.values(), *figures.OF_THE_WHOLE.values())
        self._watch: Final = Watch(list(filter(judged_by_the_whole, TROUBLES)), also=signals, most=_SERIES_MOST)
        self._titles: Final = {rule.id: rule.title for rule in TROUBLES}
        self._hour: Final = Hour(len(figures.CHARTS))

    def look(self, now_s: float, at: datetime, views: Sequence[ProcessView]) -> schema.Overview:
        """Take what all processes say at a moment: `now_s` of a monotonic clock, which is the time `at`."""
        found = self._watch.look(now_s, scraped(views, frozenset(self._watch.history.names)))
        known = self._figures(now_s)
        health = overall(views)
        shown = sorted(zip(views, instances(views), strict=True), key=lambda one: _rank(*one))
        gateways = [one for one in shown if one[0].role == _GATEWAY]
        return schema.Overview(
            at=rfc3339(at),
            status=health.status,
            reasons=[_cut(reason) for reason in health.reasons[: 4 * _REASONS_MOST]],
            figures=schema.Figures(**{name: known[name].get("") for name in figures.OF_THE_WHOLE}),
            lanes=[_lane(str(lane), known, views) for lane in LANES],
            queues=_queues(known),
            gateways=[_gateway(*one) for one in gateways[:SHOWN_MOST]],
            troubles=open_troubles(views, found, self._titles, now_s, at),
            processes=[_process(*one) for one in shown[:SHOWN_MOST]],
            left_out=max(0, len(shown) - SHOWN_MOST),
            point=self._hour.add(at.timestamp(), [known[name].get(lane) for name, lane in figures.CHARTS]),
        )

    def charts(self) -> schema.Charts:
        """Return the last hour."""
        return schema.Charts(EVERY_S, list(figures.CHARTS.values()), self._hour.points())

    def _figures(self, now_s: float) -> Figures:
        return {
            **{name: self._values(signal, now_s, "lane") for name, signal in figures.BY_LANE.items()},
            **{name: self._values(signal, now_s, "") for name, signal in figures.OF_THE_WHOLE.items()},
        }

    def _values(self, signal: Signal, now_s: float, label: str) -> dict[str, float]:
        vector = evaluate(signal, self._watch.history, now_s)
        return {
            dict(labels).get(label, ""): float(f"{value:.6g}")
            for labels, value in vector.items()
            if math.isfinite(value)
        }


def _lane(lane: str, known: Figures, views: Iterable[ProcessView]) -> schema.Lane:
    workers = [one for one in views if one.role == lane]
    told: dict[str, Any] = {name: known[name].get(lane) for name in figures.BY_LANE}
    ready = sum(not one.unready for one in workers)
    return schema.Lane(lane=lane, workers=len(workers), ready=ready, objective_s=DELIVERED_WITHIN_S[Lane(lane)], **told)


def _queues(known: Figures) -> list[schema.Queue]:
    records, seconds = known["lag_records"], known["lag_seconds"]
    names = sorted({*records, *seconds} - set(map(str, LANES)))
    return [schema.Queue(name, records.get(name), seconds.get(name)) for name in names]


def _gateway(one: ProcessView, instance: str) -> schema.Gateway:
    told = _told(one)
    return schema.Gateway(
        name=instance,
        address=address(one),
        status=_status(one),
        is_ready=not one.unready,
        connections=told.connections,
        users=told.rooms,
        catching_up=told.catching_up,
        receipts_buffered=told.receipts_buffered,
        mailbox=told.mailbox,
        pushed_per_s=_sum(told.performance.pushed_per_s),
    )


def _process(one: ProcessView, instance: str) -> schema.Process:
    told = _told(one)
    reasons = one.reasons if one.status else one.errors or one.unready
    return schema.Process(
        name=instance,
        address=address(one),
        role=one.role,
        status=_status(one),
        is_ready=not one.unready,
        reasons=[_cut(reason) for reason in reasons[:_REASONS_MOST]],
        uptime_s=told.uptime_s,
        cpu_cores=_sum(told.performance.cpu_cores),
        memory_bytes=_sum(told.performance.memory_bytes),
    )


def _told(one: ProcessView) -> _Told:
    """Return what a process tells; nothing of what another version tells in another form."""
    try:
        return msgspec.convert(dict(one.figures), _Told)
    except msgspec.ValidationError:
        return _Told()


def _sum(figure: float | Mapping[str, float] | None) -> float | None:
    """Return a figure, summed over its labels; none where the monitor has no value yet."""
    if isinstance(figure, Mapping):
        return sum(figure.values()) if figure else None
    return figure


def _status(one: ProcessView) -> Any:
    return one.status if one.status in _STATUSES else ""


def _rank(one: ProcessView, instance: str) -> tuple[int, str]:
    return _STATUSES.index(_status(one)), instance


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"
