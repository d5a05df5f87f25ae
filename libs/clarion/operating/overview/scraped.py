"""The samples of all processes as one scrape of them: each with its `instance`, and `up` of each. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set

from clarion.operating.processes import ProcessView
from clarion.rules.history import Sample


def instances(views: Sequence[ProcessView]) -> list[str]:
    """Return a name for each process: as it is called, with its address where several are called so."""
    count = Counter(view.name for view in views)
    return [view.name if count[view.name] == 1 else f"{view.name} at {address(view)}" for view in views]


def address(view: ProcessView) -> str:
    """Return host and port of a process."""
    return view.url.partition("://")[2]


def scraped(views: Sequence[ProcessView], names: Set[str]) -> Iterator[Sample]:
    """Yield the samples of these names, as Prometheus would have them: `up` is 0 of a process that does not answer."""
    for view, instance in zip(views, instances(views), strict=True):
        yield Sample("up", {"instance": instance}, float(bool(view.samples)))
        for name in names & view.samples.keys():
            for sample in view.samples[name]:
                yield Sample(name, {**sample.labels, "instance": instance}, sample.value)
