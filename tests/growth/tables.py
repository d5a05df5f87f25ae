"""The tables of docs/growth.md about what was measured, made of the recorded reports. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from tests.growth import recorded
from tests.growth.simulation import measured
from tests.growth.spread import ROLES, SAME_EACH, SAME_TOTAL, WORKERS, Arm
from tests.growth.unit_costs import UnitCosts
from tests.report import Report, Row

Table = Sequence[Sequence[str]]
_ROLE_NAMES = {"receipts": "receipts role", "mongodb": "MongoDB", "kafka": "Kafka"}


def markdown(table: Table) -> str:
    """Return a table as the pages have it: the first row is its head, and all columns but the first are figures."""
    head, *rest = table
    lines = [head, ["---", *("---:" for _ in head[1:])], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(reports: Sequence[Report]) -> Table:
    """Return on what each report was made."""
    return [
        ["report", "at", "machine", "versions"],
        *(
            [
                f"`make {one.target}`",
                one.at[:16].replace("T", " "),
                f"{one.machine['cores']} cores, {one.machine['memory_gib']} GiB, {one.machine['platform']}",
                ", ".join(f"{name} {version}" for name, version in one.versions.items()),
            ]
            for one in reports
        ),
    ]


def stored(rows: Iterable[Row]) -> Table:
    """Return what a notification and a connect cost with ever more stored."""
    every = list(rows)
    told = recorded.values(every)

    def line(name: str, of: str, digits: int = 0) -> list[str]:
        return [name, *(f"{told[f'{size:,} stored: {of}']:,.{digits}f}" for size in recorded.sizes(every))]

    return [
        ["", *(f"{size:,} stored" for size in recorded.sizes(every))],
        line("a notification: all processes, µs of CPU", "CPU of a notification, all processes"),
        *(line(f"of that {_ROLE_NAMES.get(role, role)}", f"CPU of a notification, {role}") for role in ROLES),
        line("its operations, as MongoDB counts them, µs", "operations of a notification, as MongoDB counts them"),
        line("from ingest to the client, p50, ms", "from ingest to the client, p50"),
        line("from ingest to the client, p99, ms", "from ingest to the client, p99"),
        line("a connect with replay: all processes, µs of CPU", "CPU of a connect with replay, all processes"),
        line("of that gateway", "CPU of a connect with replay, gateway"),
        line("of that MongoDB", "CPU of a connect with replay, mongodb"),
    ]


def gateways(rows: Iterable[Row]) -> Table:
    """Return what a delivery costs 1 to 4 gateways, as measured and as simulated."""
    every = list(rows)
    told, costs = recorded.values(every), UnitCosts.of(every)

    def line(arm: Arm) -> list[str]:
        found = measured.gateways(costs, recorded.sample(told, arm), arm.gateways, arm.rate)
        return [
            f"{arm.gateways} at {arm.rate:,}/s in all",
            f"{told[f'{arm}: notifications in a window'] / arm.gateways:,.1f}",
            f"{told[f'{arm}: wake-ups of gateways for a notification']:,.2f}",
            f"{found.measured:,.0f}",
            f"{found.foretold:,.0f}",
            f"{found.foretold / found.measured - 1:+.0%}",
        ]

    head = ["gateways", "notifications a record", "wake-ups each", "measured, µs", "simulated, µs", "off by"]
    return [head, *map(line, dict.fromkeys((*SAME_TOTAL, *SAME_EACH)))]


def workers(rows: Iterable[Row]) -> Table:
    """Return what a notification costs 1 to 4 workers of a lane."""
    every = list(rows)
    told, costs = recorded.values(every), UnitCosts.of(every)

    def line(arm: Arm) -> list[str]:
        found = measured.workers(costs, recorded.sample(told, arm), arm.workers, arm.rate)
        return [
            f"{arm.workers}",
            f"{told[f'{arm}: notifications in a window']:,.1f}",
            f"{found.measured:,.0f}",
            f"{found.foretold:,.0f}",
            f"{found.foretold / found.measured - 1:+.0%}",
            *(f"{told[f'{arm}: CPU of a notification, {role}']:,.0f}" for role in ("mongodb", "kafka")),
        ]

    head = ["workers", "notifications a window", "lane, µs", "simulated, µs", "off by", "MongoDB, µs", "Kafka, µs"]
    return [head, *map(line, WORKERS)]


def unit_costs(rows: Iterable[Row]) -> Table:
    """Return the unit costs, by role."""
    costs = UnitCosts.of(rows)
    named = [one.name.split("_") for one in fields(costs)]
    kinds = ["item", "window", "record"]
    return [
        ["µs of CPU", "a notification", "a window of a lane", "a record in a mailbox"],
        *(
            [
                _ROLE_NAMES.get(role, role),
                *(f"{getattr(costs, f'{role}_{kind}'):,.0f}" if [role, kind] in named else "" for kind in kinds),
            ]
            for role in dict.fromkeys(role for role, _ in named)
        ),
    ]


def soak(report: Report) -> Table:
    """Return what a soak has shown of each process: its memory's slope with its bar, and what it holds more of."""
    rows = {row.name: row for row in report.rows}
    slope = ": memory slope"
    table = [["process", "memory, MiB", "slope, MiB/min", "bar", "descriptors", "tasks", "threads"]]
    for name in [name.removesuffix(slope) for name in rows if name.endswith(slope)]:
        more = [rows.get(f"{name}: {what} more than before") for what in ("descriptors", "tasks", "threads")]
        table.append(
            [
                name,
                f"{rows[f'{name}: memory at the end'].value:,.0f}",
                f"{rows[name + slope].value:+.3f}",
                rows[name + slope].bar or "–",
                *(f"{one.value:+.0f}" if one else "–" for one in more),
            ]
        )
    return table


def soak_totals(report: Report) -> Table:
    """Return what became of everything in a soak."""
    names = (
        *("minutes", "notifications", "devices", "accepted", "handed to devices", "lost", "doubled after the SDK"),
        *("out of order", "to another user", "never published", "not accepted", "lag, the most at any look"),
        *("lag at the end", "unaccounted, the most at any look", "pushed by the safety net only", "dead letters"),
        *(
            "audited",
            "in no state, by the audit",
            "findings of the audit",
            "accepted, and not in the ledger",
            "clients: connections cut",
        ),
        *("clients: devices that left", "pushed by replay"),
    )
    rows = {row.name: row for row in report.rows}
    return [
        ["", "value", "bar"],
        *([name, f"{rows[name].value:,.0f} {rows[name].unit}".strip(), rows[name].bar] for name in names),
    ]
