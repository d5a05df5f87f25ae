"""Checks of what reads Kafka: that each consumer group has members, how far it is behind, and dead letters."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from clarion.broker import group_offsets, record_search
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.record_search import Span
from clarion.contracts import times
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names
from clarion.operating import samples
from clarion.operating.doctor.check import Outcome, Skip, judged, ok, warning
from clarion.operating.doctor.system import System

RECENT: Final = timedelta(hours=1)

# For how long the oldest record of a role may wait. Commits come every 2.8 s, so no role is closer to its topic's end.
_WAITS_S: Final = {"urgent": 10.0, "high": 10.0, "normal": 15.0, "low": 30.0, "receipts": 30.0, "scheduler": 30.0}
_TOO_LONG: Final = 10  # times that


def _topics(names: Names) -> dict[str, str]:
    """Return the topic of each role that reads one with a consumer group."""
    lanes = {str(lane.value): names.notifications(lane) for lane in LANES}
    return lanes | {"receipts": names.receipts, "scheduler": names.scheduled}


async def workers(system: System) -> Outcome:
    """Check that each topic has somebody who reads it, whatever CLARION_PROCESSES says."""
    names = Names(system.settings.prefix)
    roles = {names.group(role): role for role in _topics(names)}
    groups = await group_offsets.groups_of(await system.kafka(), list(roles))
    idle = [
        f"nobody reads {_what(role)}: {name} has no members" for name, role in roles.items() if not groups[name].members
    ]
    moving = [f"{name} is {group.state}" for name, group in groups.items() if group.members and group.state != "Stable"]
    return judged(
        idle,
        moving,
        ", ".join(f"{role} {groups[name].members}" for name, role in roles.items()),
        "start the missing process: `clarion stream --role lane --lane …`, or `--role receipts`, `--role scheduler`. "
        "A group that is moving is Stable within seconds; if not, its processes start again and again: see their logs",
    )


def _what(role: str) -> str:
    return f"the lane {role}" if role in set(Lane) else f"the topic of the role {role}"


async def lag(system: System) -> Outcome:
    """Check how much each role has still to read, and for how long the oldest of it waits."""
    topics, names = _topics(Names(system.settings.prefix)), Names(system.settings.prefix)
    admin, consumer = await system.kafka(), await system.consumer()
    partitions = await record_search.partitions_of(admin, list(topics.values()))
    groups = [names.group(role) for role in topics]
    commits = await group_offsets.committed(admin, groups)
    spans = await record_search.spans(consumer, partitions)  # afterwards, so that no commit is beyond an end
    told: list[str] = []
    warnings: list[str] = []
    failures: list[str] = []
    for role, topic in topics.items():
        within = {partition: span for partition, span in spans.items() if partition.topic == topic}
        left = record_search.unread(within, commits)
        records = sum(span.end - span.start for span in left.values())
        told.append(f"{role} {records}")
        if lost := _lost(within, commits):
            failures.append(f"{lost} records of {topic} were removed by retention before they were read")
        waiting = {partition: span for partition, span in left.items() if span.start < span.end}
        for times_longer, into in ((_TOO_LONG, failures), (1, warnings)):
            limit_s = _WAITS_S[role] * times_longer
            if await _has_older(consumer, waiting, limit_s):
                into.append(f"the oldest of {records} records that {role} has to read waits longer than {limit_s:g} s")
                break
    return judged(
        failures,
        warnings,
        f"records still to read: {', '.join(told)}",
        "see the checks `workers`, `stages` and `replica-set`; with all well, the lane needs more processes, up to its "
        "topic's partitions. What retention has removed is lost: sender and users have to be told",
    )


def _lost(within: Mapping[Partition, Span], commits: Mapping[Partition, Commit]) -> int:
    """Return how many records were removed by retention before they were read."""
    each = ((span.start, record_search.committed(partition, span, commits)) for partition, span in within.items())
    return sum(max(0, start - committed) for start, committed in each)


async def _has_older(consumer: object, waiting: Mapping[Partition, Span], seconds: float) -> bool:
    """Return whether any of the records that wait was taken by the broker more than `seconds` ago."""
    if not waiting:
        return False
    recent = await record_search.since(consumer, waiting, times.now() - timedelta(seconds=seconds))
    return any(recent[partition].start > span.start for partition, span in waiting.items())


async def dead_letters(system: System) -> Outcome:
    """Check whether records have become dead letters lately, and how many are kept."""
    admin, consumer = await system.kafka(), await system.consumer()
    topic = Names(system.settings.prefix).dead_letters
    spans = await record_search.spans(consumer, await record_search.partitions_of(admin, [topic]))
    if not spans:
        raise Skip(f"the topic {topic} is missing: see the check `topics`")
    recent = _count((await record_search.since(consumer, spans, times.now() - RECENT)).values())
    evidence = f"{recent} in the last hour, {_count(spans.values())} on the topic{await _kept(system)}"
    if recent:
        return warning(
            f"dead letters: {evidence}",
            "read why in the header `error` of each, have its sender mend it, and play it again; docs/errors.md says "
            "what each reason means",
        )
    return ok(f"dead letters: {evidence}")


def _count(spans: Iterable[Span]) -> int:
    return sum(span.end - span.start for span in spans)


async def _kept(system: System) -> str:
    """Return how many are kept in MongoDB, as the observer counts them, as the end of a sentence."""
    try:
        views = await system.processes()
    except Skip:
        return ""
    for view in views:
        if kept := samples.by_label(view.samples, "clarion_dead_letters", "reason"):
            return "; kept: " + ", ".join(f"{count:g} {reason}" for reason, count in sorted(kept.items()))
    return ""
