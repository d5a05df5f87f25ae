"""The overview as it goes over HTTP: health, lanes, gateways, troubles, processes, and the points of charts."""

from typing import Literal

import msgspec

from clarion.rules.rule import Severity
from clarion.telemetry.health import Status


class Lane(msgspec.Struct):
    """One lane. `workers` are its processes, of which `ready` are ready. A figure that nobody tells is null, and not 0.

    `accepted_per_s` counts what came over HTTP. Lag and what is pending come from the observer.
    """

    lane: str
    workers: int
    ready: int
    accepted_per_s: float | None
    stored_per_s: float | None
    delivered_per_s: float | None
    lag_records: float | None
    lag_seconds: float | None
    pending: float | None
    oldest_pending_s: float | None
    delivery_p99_s: float | None
    objective_s: float


class Queue(msgspec.Struct):
    """Another topic that a role reads: receipts, dead letters, what is scheduled."""

    name: str
    lag_records: float | None
    lag_seconds: float | None


class Process(msgspec.Struct):
    """One process as it says of itself. `status` is empty when it does not answer; then `reasons` say why."""

    name: str
    address: str
    role: str
    status: Status | Literal[""]
    is_ready: bool
    reasons: list[str]
    uptime_s: float | None
    cpu_cores: float | None
    memory_bytes: float | None


class Gateway(msgspec.Struct):
    """What a gateway says of its connections. `mailbox` is null while it has none."""

    name: str
    address: str
    status: Status | Literal[""]
    is_ready: bool
    connections: int | None
    users: int | None
    catching_up: int | None
    receipts_buffered: int | None
    mailbox: int | None
    pushed_per_s: float | None


class Trouble(msgspec.Struct):
    """A rule that holds: what is wrong, why, and what to do. `seen_by` names processes; it is empty for the whole.

    `since` is RFC 3339, and null where it is not known.
    """

    rule: str
    title: str
    severity: Severity
    what: str
    cause: str
    cure: str
    runbook: str
    seen_by: list[str]
    since: str | None


class Figures(msgspec.Struct):
    """Figures of the whole system; null where nobody tells them."""

    connections: float | None
    dead_letters: float | None
    unaccounted: float | None
    mailboxes_free: float | None
    store_free_ratio: float | None


class Point(msgspec.Struct):
    """One moment of the charts: Unix time in seconds, and a value for each series in their order."""

    at: int
    values: list[float | None]


class Series(msgspec.Struct, frozen=True):
    """One line of a chart. `unit` is that of its values."""

    chart: str
    label: str
    unit: Literal["per second", "seconds", "number"]


class Charts(msgspec.Struct):
    """The last hour, oldest first, with a point each `every_s` seconds at most."""

    every_s: int
    series: list[Series]
    points: list[Point]


class Overview(msgspec.Struct):
    """The whole system at a moment, `at` in RFC 3339. `point` is the newest one of the charts.

    Lists are cut at their bounds; `left_out` says how many processes and gateways were left out.
    """

    at: str
    status: Status
    reasons: list[str]
    figures: Figures
    lanes: list[Lane]
    queues: list[Queue]
    gateways: list[Gateway]
    troubles: list[Trouble]
    processes: list[Process]
    left_out: int
    point: Point
