"""A part that does work of several kinds with so many cores, as a fluid. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Station:
    """So many `cores`; what waits of each kind is in seconds of one core."""

    cores: float
    waiting: dict[str, float] = field(default_factory=dict[str, float])
    busy: float = 0.0  # seconds of cores that were used by now

    def add(self, kind: str, work_s: float) -> None:
        """Add work of a kind."""
        self.waiting[kind] = self.waiting.get(kind, 0.0) + work_s

    @property
    def backlog_s(self) -> float:
        """Return for how long all cores have to work for what waits."""
        return sum(self.waiting.values()) / self.cores

    def run(self, seconds: float, at_once: Mapping[str, float]) -> dict[str, float]:
        """Work for so long; return the work that was done of each kind.

        `at_once` says how many pieces of each kind are under way, of which each takes one core at most. Where they want
        more cores than there are, all pieces are equally fast, as a kernel shares its cores.
        """
        done = dict.fromkeys(self.waiting, 0.0)
        left = self.cores * seconds
        wanting = {kind for kind, work in self.waiting.items() if work > 0 and at_once[kind] > 0}
        while wanting and left > 1e-12:
            share = left / sum(at_once[kind] for kind in wanting)
            given = {
                kind: min(at_once[kind] * share, at_once[kind] * seconds - done[kind], self.waiting[kind] - done[kind])
                for kind in wanting
            }
            for kind, work in given.items():
                done[kind] += work
            left -= sum(given.values())
            short = {kind for kind, work in given.items() if work < at_once[kind] * share - 1e-15}
            if not short:
                break
            wanting -= short
        for kind, work in done.items():
            self.waiting[kind] = max(0.0, self.waiting[kind] - work)
        self.busy += sum(done.values())
        return done
