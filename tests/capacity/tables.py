"""The worked tables of docs/capacity.md, made of its other tables. Pure.

`python -m tests.capacity.tables` prints them, to be put into the page when a unit cost has changed.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Final

from tests.capacity.model import BUSY, DEFAULTS, DISK_FULL, FILES_SPARE, LANES, MEMORY_SPARE, REPLICAS, Model
from tests.capacity.page import PAGE, assumptions, costs, deployments

Table = Sequence[Sequence[str]]
_GB: Final = 1e9
_MB: Final = 1e6
_MBIT: Final = 1e6 / 8


def processes(models: Sequence[Model]) -> Table:
    """Return the rows of the table of processes."""
    bound = DEFAULTS.partitions_lane
    return [
        _row("ingest", models, lambda m: f"{m.processes(m.of.peak, 'ingest_us')}"),
        *(
            _row(f"lane {one}", models, lambda m, one=one: f"{m.processes(m.lane(one), f'lane_{one}_us', bound)}")
            for one in LANES
        ),
        _row("receipts role", models, lambda m: f"{m.processes(m.pushed, 'receipts_us', bound)}"),
        _row("scheduler", models, lambda m: f"{m.of.least:.0f}"),
        _row("observer", models, lambda m: f"{m.of.least:.0f}"),
        _row("console", models, lambda _: "1"),
        _row("gateways", models, lambda m: f"{m.gateways}"),
        _row("connections of each gateway", models, lambda m: f"{m.each_gateway:,.0f}"),
    ]


def cores(models: Sequence[Model]) -> Table:
    """Return the rows of the table of cores at the peak."""
    return [
        _row("ingest", models, lambda m: f"{m.cores(m.of.peak, 'ingest_us'):.2f}"),
        _row("all lanes", models, lambda m: f"{m.lanes_cores:.2f}"),
        _row("receipts role", models, lambda m: f"{m.cores(m.pushed, 'receipts_us'):.2f}"),
        _row("all gateways", models, lambda m: f"{m.gateways * m.gateway_busy:.2f}"),
        _row("Clarion in all", models, lambda m: f"{m.clarion_cores:.2f}"),
        _row("a gateway, of one core", models, lambda m: f"{m.gateway_busy:.1%}"),
        _row("MongoDB's primary", models, lambda m: f"{m.cores(m.of.peak, 'mongodb_us'):.2f}"),
        _row("all Kafka brokers", models, lambda m: f"{REPLICAS * m.cores(m.of.peak, 'kafka_us'):.2f}"),
    ]


def memory(models: Sequence[Model]) -> Table:
    """Return the rows of the table of memory."""
    return [
        _row("a gateway, MiB", models, lambda m: f"{m.gateway_mib:,.0f}"),
        _row("the kernel, for a gateway's sockets, MiB", models, lambda m: f"{m.socket_mib:,.0f}"),
        _row("all gateways with their sockets, GiB", models, lambda m: f"{m.gateways_gib:.1f}"),
        _row("all other processes, GiB", models, lambda m: f"{m.others_gib:.1f}"),
        _row("file descriptors of a gateway", models, lambda m: f"{m.of.limit + FILES_SPARE:,.0f}"),
    ]


def kafka(models: Sequence[Model]) -> Table:
    """Return the rows of the table of Kafka."""
    return [
        _row("written by producers, MB/s", models, lambda m: f"{m.kafka_in(m.of.peak) / _MB:,.2f}"),
        _row("written to all disks, MB/s", models, lambda m: f"{REPLICAS * m.kafka_in(m.of.peak) / _MB:,.2f}"),
        _row("read by consumers, MB/s", models, lambda m: f"{m.kafka_in(m.of.peak) / _MB:,.2f}"),
        _row("network of all brokers, Mbit/s", models, lambda m: f"{m.kafka_network / _MBIT:,.0f}"),
        _row("on all disks, GB", models, lambda m: f"{m.kafka_disk / _GB:,.1f}"),
        _row("on each of three brokers, GB", models, lambda m: f"{m.kafka_disk / REPLICAS / _GB:,.1f}"),
    ]


def mongodb(models: Sequence[Model]) -> Table:
    """Return the rows of the table of MongoDB."""
    return [
        _row("notifications kept", models, lambda m: f"{m.documents / 1e6:,.1f} million"),
        _row("on the disk of each member, GB", models, lambda m: f"{m.mongodb_disk / _GB:,.0f}"),
        _row("of that, indexes, GB", models, lambda m: f"{m.documents * m.cost['indexes_bytes'] / _GB:,.0f}"),
        _row("oplog of a day, GB", models, lambda m: f"{m.oplog / _GB:,.1f}"),
        _row("inserts a second at the peak", models, lambda m: f"{m.of.peak:,.0f}"),
        _row("of what one primary takes", models, lambda m: f"{m.of.peak / m.cost['inserts_per_s']:.0%}"),
    ]


def clients(models: Sequence[Model]) -> Table:
    """Return the rows of the table of clients."""
    return [
        _row("to clients, Mbit/s", models, lambda m: f"{m.to_clients / _MBIT:,.1f}"),
        _row("of that, pings, Mbit/s", models, lambda m: f"{m.pings / _MBIT:,.1f}"),
        _row("all are back after a cut, by the gateways, s", models, lambda m: f"{m.back_s_gateways:,.0f}"),
        _row("the same, by MongoDB's primary, s", models, lambda m: f"{m.back_s_mongodb:,.0f}"),
        _row("read by replay of an hour away, s", models, lambda m: f"{m.replay_s:,.1f}"),
    ]


def provided(models: Sequence[Model]) -> Table:
    """Return the rows of the table of what to provide, with head room."""
    return [
        _row("Clarion: cores", models, lambda m: f"{ceil(m.clarion_cores / BUSY)}"),
        _row("Clarion: memory, GiB", models, lambda m: f"{MEMORY_SPARE * (m.gateways_gib + m.others_gib):.0f}"),
        _row("each broker: cores", models, lambda m: f"{ceil(m.cores(m.of.peak, 'kafka_us') / BUSY)}"),
        _row("each broker: disk, GB", models, lambda m: f"{m.kafka_disk / REPLICAS / DISK_FULL / _GB:,.0f}"),
        _row("each broker: network, Mbit/s", models, lambda m: f"{m.kafka_network / REPLICAS / BUSY / _MBIT:,.0f}"),
        _row("MongoDB's primary: cores", models, lambda m: f"{ceil(m.cores(m.of.peak, 'mongodb_us') / BUSY)}"),
        _row("each MongoDB member: disk, GB", models, lambda m: f"{m.member_disk / DISK_FULL / _GB:,.0f}"),
    ]


TABLES: Final[Mapping[str, Callable[[Sequence[Model]], Table]]] = {
    "### How many processes": processes,
    "### How many cores": cores,
    "### How much memory": memory,
    "### How much of Kafka": kafka,
    "### How much of MongoDB": mongodb,
    "### What clients see": clients,
    "### What to provide": provided,
}


def models(page: str) -> list[Model]:
    """Return the models of the page's deployments."""
    return [Model(one, costs(page), assumptions(page)) for one in deployments(page)]


def _row(name: str, models: Sequence[Model], figure: Callable[[Model], str]) -> Sequence[str]:
    return [name, *map(figure, models)]


def _printed(page: str) -> str:
    names = [one.of.name for one in models(page)]
    parts: list[str] = []
    for heading, rows in TABLES.items():
        lines = [["", *names], ["---", *("---:" for _ in names)], *rows(models(page))]
        parts.append("\n".join([heading, "", *(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(_printed(PAGE.read_text()))
