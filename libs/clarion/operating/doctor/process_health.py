"""Checks of the processes: health, memory, slow stages, what their monitors see, and whether they are scraped."""

from collections import defaultdict
from typing import Final
from urllib.parse import urlsplit

from clarion.contracts.objectives import DELIVERED_WITHIN_S
from clarion.operating import prometheus, samples
from clarion.operating.doctor.check import Outcome, Skip, failed, judged, ok, warning
from clarion.operating.doctor.system import System
from clarion.operating.processes import ProcessView
from clarion.operating.system_health import overall

MIB: Final = 1024 * 1024
MEMORY_MOST: Final = 1024 * MIB  # of one process: four times what the compose file allows each
GROWTH_MOST: Final = 0.5  # within an hour
GROWTH_FROM: Final = 128 * MIB
_OF_OBJECTIVE: Final = 0.5  # of its lane, that a window may spend in one stage
_WINDOWS_LEAST: Final = 100  # fewer say nothing about a p99


async def health(system: System) -> Outcome:
    """Check that every process answers, and says that it is ok."""
    views = await system.processes()
    found = overall(views)
    cure = "docs/errors.md#health says what to do about each reason; the log of the process has the cause"
    told = "; ".join(found.reasons)
    if any(not view.status or view.status == "failing" for view in views) or found.status == "failing":
        return failed(told, cure)
    return warning(told, cure) if found.reasons else ok(f"all {len(views)} processes answer, and are ok")


async def memory(system: System) -> Outcome:
    """Check that no process has much memory, or ever more: the latter needs CLARION_PROMETHEUS."""
    views = await system.answering()
    resident = {_name(view): samples.total(view.samples, "process_resident_memory_bytes") or 0 for view in views}
    large = [f"{name} has {size / MIB:,.0f} MiB" for name, size in resident.items() if size > MEMORY_MOST]
    if not any(resident.values()):
        raise Skip("the processes do not tell their memory, as on any system but Linux")
    growing, unasked = await _growing(system)
    largest = max(resident, key=lambda name: resident[name])
    evidence = f"the largest of {len(views)} processes, {largest}, has {resident[largest] / MIB:,.0f} MiB"
    return judged(
        [],
        large + growing,
        evidence + unasked,
        "what grows without more connections or load is a fault: note /metrics and /health/metrics, restart the "
        "process, and report it",
    )


async def _growing(system: System) -> tuple[list[str], str]:
    """Return, in words, which processes had far less memory an hour ago, and why Prometheus could not tell that."""
    if not system.settings.prometheus:
        return [], "; whether it grows is not known, since CLARION_PROMETHEUS is not set"
    now = "process_resident_memory_bytes"
    asked = f"({now} / ({now} offset 1h) > {1 + GROWTH_MOST}) and ({now} - ({now} offset 1h) > {GROWTH_FROM})"
    try:
        found = await prometheus.query(system.settings.prometheus, asked)
    except prometheus.Unreachable:
        return [], "; whether it grows is not known, since Prometheus does not answer: see the check `monitoring`"
    return [f"{one.labels.get('instance', '?')} has {one.value:.1f} times as much as an hour ago" for one in found], ""


async def stages(system: System) -> Outcome:
    """Check the time that windows spend in each stage, and notifications on their way, since the processes began."""
    views = await system.answering()
    slow: list[str] = []
    told: list[str] = []
    for lane, objective in DELIVERED_WITHIN_S.items():
        for view in views:
            names = {sample.labels["stage"] for sample in view.samples.get("clarion_stage_seconds_bucket", ())}
            for stage in sorted(names):
                spent = samples.quantile(view.samples, "clarion_stage_seconds", 0.99, lane=lane.value, stage=stage)
                if spent and spent.values >= _WINDOWS_LEAST and spent.value > _OF_OBJECTIVE * objective:
                    slow.append(
                        f"{_name(view)} spends up to {spent.value:g} s in {stage} (p99 of {spent.values:g} windows)"
                    )
            arrived = samples.quantile(view.samples, "clarion_delivery_seconds", 0.99, lane=lane.value)
            if arrived and arrived.values >= _WINDOWS_LEAST:
                told.append(f"{lane} {arrived.value:g} s at {_name(view)}")
                if arrived.value > objective:
                    slow.append(f"p99 from publishing to the frame is {arrived.value:g} s in {lane} at {_name(view)}")
    return judged(
        [],
        slow,
        f"p99 from publishing to the frame: {', '.join(told)}" if told else "no stage is slow; few windows so far",
        "`store` and `route` wait for MongoDB (see `queries`, `database-disk`), `emit` for Kafka; with both well, the "
        "lane needs another process",
    )


async def troubles(system: System) -> Outcome:
    """Check what the monitors of the processes see, by their rules."""
    views = await system.answering()
    exported = [sample for view in views for sample in view.samples.get("clarion_trouble", ())]
    if not exported:
        raise Skip("no process exports clarion_trouble")
    held: defaultdict[str, list[str]] = defaultdict(list)
    for view in views:
        for sample in view.samples.get("clarion_trouble", ()):
            if sample.value:
                held[sample.labels.get("rule", "?")].append(_name(view))
    return judged(
        [],
        [f"{rule} at {', '.join(names)}" for rule, names in sorted(held.items())],
        "no rule of the monitor holds",
        "/health of the process says what each rule means, its cause and its cure",
    )


async def monitoring(system: System) -> Outcome:
    """Check that Prometheus scrapes every process."""
    url = system.settings.prometheus
    if not url:
        raise Skip("CLARION_PROMETHEUS is not set: give the URL of the Prometheus that scrapes the processes")
    try:
        targets = await prometheus.targets(url)
    except prometheus.Unreachable as error:
        return failed(f"Prometheus at {url} (CLARION_PROMETHEUS) does not answer: {error}", "start it, or mend the URL")
    by_address = {urlsplit(target.url).netloc: target for target in targets}
    views = await system.processes()
    unknown = [_name(view) for view in views if urlsplit(view.url).netloc not in by_address]
    down = [target for view in views if (target := by_address.get(urlsplit(view.url).netloc)) and not target.is_up]
    failures = [f"{target.url} is not scraped: {target.error}" for target in down]
    warnings = [f"Prometheus knows no target of the address of {', '.join(unknown)}"] if unknown else []
    return judged(
        failures,
        warnings,
        f"Prometheus scrapes all {len(views)} processes",
        "add the admin ports of these processes to Prometheus' scrape configuration; deploy/prometheus has one",
    )


def _name(view: ProcessView) -> str:
    return f"{view.name} at {urlsplit(view.url).netloc}"
