"""What a soak must show: rows with bars, of the usage of each process and of all accounts. Pure."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.capacity.model import DEFAULTS
from tests.report import Row, at_least, at_most, none
from tests.soak.account import Account
from tests.soak.slopes import Point, per_minute
from tests.soak.usage import Usage

# The least that a leak keeps of each notification is its id: a str of 36 characters (85 bytes), and where it is kept
# (8 in a list). The bar is half of that, so that a process that keeps every id has twice the slope that it may have.
ID_BYTES: Final = 85 + 8
# Python asks for memory by arenas of 1 MiB, and a peak fills one that is not given back: two of them are no leak.
# The longer the soak, the less that is a minute.
ARENAS: Final = 2
# Executors start a thread when all others are busy, and keep it, up to these: the event loop's, and Motor's.
_CORES: Final = os.cpu_count() or 1
_MOTOR_THREADS: Final = 5 * _CORES
THREADS_MORE: Final = _CORES + 4 + _MOTOR_THREADS
# A busier moment opens another connection to MongoDB for a thread of Motor's, or for one of the readers that catch up,
# and it stays in its pool. What leaks one a connect has hundreds.
FILES_MORE: Final = _MOTOR_THREADS + DEFAULTS.replay_reads
TASKS_MORE: Final = 4  # of timers that are just under way, and of the admin port, which is being asked
_MIB: Final = 1024 * 1024


def memory_bar(usage: Sequence[Usage]) -> float:
    """Return by how many MiB a minute a process's memory may rise, of what passed it in this time."""
    minutes = (usage[-1].at - usage[0].at) / 60
    passed = usage[-1].passed - usage[0].passed
    return max(ARENAS / minutes, passed * ID_BYTES / 2 / minutes / _MIB)


def memory_slope(usage: Sequence[Usage]) -> float:
    """Return by how many MiB a minute a process's memory rises, without what it keeps by design."""
    return per_minute([Point(one.at, (one.resident - one.kept) / _MIB) for one in usage])


def of_memory(usage: Mapping[str, Sequence[Usage]]) -> list[Row]:
    """Return rows of the memory of each process.

    Kafka and MongoDB have no bars: their memory grows up to the heap and the cache that they are given.
    """
    rows: list[Row] = []
    for name, looks in usage.items():
        slope, unit = memory_slope(looks), "MiB/min"
        rows += [
            Row(f"{name}: memory at the end", looks[-1].resident / _MIB, "MiB"),
            Row(f"{name}: memory slope", slope, unit)
            if looks[-1].tasks is None
            else at_most(f"{name}: memory slope", slope, round(memory_bar(looks), 3), unit),
        ]
    return rows


def of_rest(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> list[Row]:
    """Return rows of what each of our processes holds more of than before. Both are at rest, with no client here."""
    rows: list[Row] = []
    for name, was in before.items():
        now = after[name]
        if was.tasks is None or now.tasks is None:
            continue
        rows += [
            at_most(f"{name}: descriptors more than before", now.files - was.files, FILES_MORE, ""),
            at_most(f"{name}: tasks more than before", now.tasks - was.tasks, TASKS_MORE, ""),
            at_most(f"{name}: threads more than before", now.threads - was.threads, THREADS_MORE, ""),
        ]
    return rows


def of_accounts(accounts: Iterable[Account]) -> list[Row]:
    """Return rows of what devices were owed and handed."""
    every = list(accounts)
    return [
        Row("accepted", sum(one.accepted for one in every), "notifications"),
        Row("handed to devices", sum(one.handed for one in every), "notifications"),
        Row("of these before they were stored", sum(one.early for one in every), "notifications"),
        none("lost", sum(len(one.missing) for one in every)),
        none("doubled after the SDK", sum(len(one.doubled) for one in every)),
        none("out of order", sum(len(one.out_of_order) for one in every)),
        none("to another user", sum(len(one.foreign) for one in every)),
        none("never published", sum(len(one.unexpected) for one in every)),
    ]


def of_features(seen: Mapping[str, float]) -> list[Row]:
    """Return a row for each thing that must have happened, or the soak has not tried it."""
    return [at_least(name, count, 1, "times") for name, count in seen.items()]


def is_met(rows: Iterable[Row]) -> bool:
    """Whether no bar was missed."""
    return all(row.ok is not False for row in rows)
